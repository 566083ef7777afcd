//! What becomes of tasks under notice, as options and output have it.

use clap::ValueEnum;
use offpeak::v1;

/// What becomes of a task that is under notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnNotice {
    /// It stays to the end and saves its work
    Stay,
    /// It begins anew on another node as soon as one has room for it
    Move,
}

impl OnNotice {
    /// As a job describes it; the default is left out.
    pub(crate) fn to_wire(self) -> i32 {
        let on_notice = match self {
            Self::Stay => v1::OnNotice::Unspecified,
            Self::Move => v1::OnNotice::Move,
        };
        on_notice.into()
    }
}

/// `stays`, or what else its tasks do.
pub(crate) fn word(spec: &v1::JobSpec) -> &'static str {
    match spec.on_notice() {
        v1::OnNotice::Move => "moves",
        v1::OnNotice::Stay | v1::OnNotice::Unspecified => "stays",
    }
}
