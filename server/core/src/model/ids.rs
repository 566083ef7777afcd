use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The id after this one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.checked_add(1).expect("invariant: ids never run out"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// The number of a committed command, from 1; 0 is the empty cell. The cursor of a watch.
    Revision(u64)
}
id! {
    /// A node, numbered in the order of registration and never used again.
    NodeId(u32)
}
id! {
    /// A tenant, numbered in the order of creation and never used again.
    TenantId(u32)
}
id! {
    /// A job, numbered in the order of submission and never used again: a smaller id is an older job.
    JobId(u64)
}
id! {
    /// A task within its job.
    TaskIndex(u32)
}
id! {
    /// An allocation, numbered from 1 in the order of placement and never used again.
    AllocationId(u64)
}
id! {
    /// Where nodes are alike to whoever pays for them: one owner, region and GPU model. A number within one state, told to
    /// nobody: after a restart that of a site which nobody needs any more may stand for another one.
    SiteId(u32)
}
