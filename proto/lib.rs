//! The `offpeak.v1` API as Rust types: messages, gRPC clients and gRPC servers, all generated from the
//! `.proto` files beside this one. Nothing here is written by hand, and nothing here decides anything.

/// Version 1 of the API.
pub mod v1 {
    #![allow(
        missing_docs,
        clippy::all,
        clippy::allow_attributes_without_reason,
        clippy::pedantic,
        unused_qualifications,
        reason = "generated code"
    )]
    tonic::include_proto!("offpeak.v1");
}

/// The encoded `google.protobuf.FileDescriptorSet` of the API, for reflection and JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/offpeak.v1.bin"));
