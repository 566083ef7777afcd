//! Messages as proto3 JSON, by the descriptors of the API: there is no second model beside the `.proto` files.

use std::sync::LazyLock;

use offpeak::v1 as api;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(offpeak::FILE_DESCRIPTOR_SET)
        .expect("invariant: the build script wrote valid descriptors")
});

/// A message that is read or written as JSON.
pub(crate) trait Described: Message + Default {
    /// Its name in the API's package.
    const NAME: &'static str;
}

macro_rules! described {
    ($($message:ident),* $(,)?) => {
        $(impl Described for api::$message {
            const NAME: &'static str = stringify!($message);
        })*
    };
}

described! {
    Allocation,
    CalendarEntry,
    CancelJobResponse,
    CheckpointResponse,
    CordonNodeResponse,
    CreateTenantResponse,
    DeleteTenantResponse,
    DrainNodeResponse,
    Event,
    ExplainJobResponse,
    GetCapacityResponse,
    GetIdleProfileResponse,
    GetStatementResponse,
    GetQuoteRecordResponse,
    GetStatusResponse,
    GetTaskPayloadResponse,
    Job,
    JobCost,
    LoadSample,
    Node,
    Owner,
    PriceBook,
    PriceChange,
    PlanJobResponse,
    QuoteJobResponse,
    RegisterNodesResponse,
    RemoveNodeResponse,
    ReportLoadResponse,
    ReportTasksResponse,
    SetPriceBookResponse,
    StatementLine,
    Scorecard,
    SubmitJobResponse,
    Tenant,
    UncordonNodeResponse,
    UpdateJobResponse,
    UpdateNodeResponse,
    UpdateOwnerResponse,
    UpdateTenantResponse,
    Window,
}

/// The descriptor of a message.
pub(crate) fn descriptor<M: Described>() -> MessageDescriptor {
    POOL.get_message_by_name(&format!("offpeak.v1.{}", M::NAME))
        .expect("invariant: every generated message has a descriptor")
}

/// The message in a form that serializes as proto3 JSON.
pub(crate) fn dynamic<M: Described>(message: &M) -> DynamicMessage {
    let mut dynamic = DynamicMessage::new(descriptor::<M>());
    dynamic.transcode_from(message).expect("invariant: a message matches its own descriptor");
    dynamic
}

/// The message from its dynamic form.
pub(crate) fn typed<M: Described>(dynamic: &DynamicMessage) -> M {
    dynamic.transcode_to().expect("invariant: a message matches its own descriptor")
}
