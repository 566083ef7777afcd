//! What the server answers to input that is wrong: over a real socket, with a real store, by clients that nothing
//! holds back. Each refusal is checked for its code, its one ErrorInfo, the details that fit and what it says, for
//! its place in docs/ERRORS.md, and for having changed nothing.

mod amounts;
mod cancelled;
mod families;
mod fleet;
mod hostile;
mod house;
mod lists;
mod names;
mod overload;
mod owners;
mod quotas;
mod raw;
mod refusal;
mod repeats;
mod watches;
mod wire;
