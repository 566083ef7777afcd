use offpeak_core::command::Command;

macro_rules! kinds {
    ($($name:ident: $label:literal),* $(,)?) => {
        /// Which command it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "as in Command")]
        pub enum Kind {
            $($name),*
        }

        impl Kind {
            /// All of them, each at its own index.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The value of the label `command`.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label),*
                }
            }

            /// The kind of a command.
            #[must_use]
            pub fn of(command: &Command) -> Self {
                match command {
                    $(Command::$name { .. } => Self::$name),*
                }
            }
        }
    };
}

kinds! {
    RegisterNodes: "register_nodes",
    UpdateNode: "update_node",
    CordonNode: "cordon_node",
    UncordonNode: "uncordon_node",
    DrainNode: "drain_node",
    RemoveNode: "remove_node",
    UpdateOwner: "update_owner",
    RenewWindows: "renew_windows",
    ReportLoad: "report_load",
    SetPriceBook: "set_price_book",
    CreateTenant: "create_tenant",
    UpdateTenant: "update_tenant",
    DeleteTenant: "delete_tenant",
    SubmitJob: "submit_job",
    UpdateJob: "update_job",
    CancelJob: "cancel_job",
    ReportTasks: "report_tasks",
    SetPolicy: "set_policy",
    Promise: "promise",
    Forecast: "forecast",
    Quote: "quote",
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn every_kind_stands_at_its_own_index() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, index);
        }
    }
}
