//! How nodes are printed.

use offpeak::v1::{Node, NodeState, Resources};

use super::{
    human::{self, dash},
    output::{self, Show},
    table::{Cell, Column, Tone, left, right},
};

impl Show for Node {
    fn reference(&self) -> String {
        format!("node/{}", self.name)
    }

    fn columns(wide: bool) -> Vec<Column> {
        let mut columns = vec![
            left("NAME"),
            left("STATE"),
            left("OWNER"),
            left("REGION"),
            left("ZONE"),
            right("CPU"),
            right("MEMORY"),
            right("GPUS"),
            right("FREE CPU"),
            right("FREE MEMORY"),
            right("TASKS"),
            right("AGE"),
        ];
        if wide {
            columns.extend([
                right("OWNER CPU"),
                right("LENT CPU"),
                right("FREE GPUS"),
                left("GPU MODEL"),
                left("TAINTS"),
                left("LABELS"),
            ]);
        }
        columns
    }

    fn row(&self, wide: bool) -> Vec<Cell> {
        let cpu = |amount: &Option<Resources>| {
            human::millis(amount.as_ref().map_or(0, |amount| amount.cpu_millis))
        };
        let memory = |amount: &Option<Resources>| {
            human::bytes(amount.as_ref().map_or(0, |amount| amount.memory_bytes))
        };
        let gpus = |amount: &Option<Resources>| {
            human::millis(amount.as_ref().map_or(0, |amount| amount.gpu_millis))
        };
        let mut row: Vec<Cell> = vec![
            self.name.as_str().into(),
            state_cell(self),
            dash(self.owner.as_str()).into(),
            dash(self.region.as_str()).into(),
            dash(self.zone.as_str()).into(),
            cpu(&self.capacity).into(),
            memory(&self.capacity).into(),
            gpus(&self.capacity).into(),
            cpu(&self.headroom).into(),
            memory(&self.headroom).into(),
            self.allocation_count.to_string().into(),
            human::age(self.create_time.as_ref()).into(),
        ];
        if wide {
            row.extend([
                cpu(&self.owner_load).into(),
                cpu(&self.lent).into(),
                gpus(&self.headroom).into(),
                dash(self.gpu_model.as_str()).into(),
                taints(self).into(),
                human::labels(&self.labels).into(),
            ]);
        }
        row
    }

    fn details(&self) -> Vec<(&'static str, Cell)> {
        let mut details: Vec<(&'static str, Cell)> = vec![
            ("Name", self.name.as_str().into()),
            ("State", state_cell(self)),
            ("Owner", dash(self.owner.as_str()).into()),
            ("Region", dash(self.region.as_str()).into()),
            ("Zone", dash(self.zone.as_str()).into()),
            ("Labels", human::labels(&self.labels).into()),
            ("Taints", taints(self).into()),
            ("Capacity", human::resources(self.capacity.as_ref()).into()),
            ("Reservation", human::resources(self.reservation.as_ref()).into()),
            ("Owner load", human::resources(self.owner_load.as_ref()).into()),
            ("Reported", human::time(self.owner_load_time.as_ref()).into()),
            ("Forecast", human::resources(self.forecast.as_ref()).into()),
            ("Lent", human::resources(self.lent.as_ref()).into()),
            ("Headroom", human::resources(self.headroom.as_ref()).into()),
            ("Tasks", self.allocation_count.to_string().into()),
            ("Report TTL", human::wire_span(self.report_ttl.as_ref()).into()),
            ("Created", human::time(self.create_time.as_ref()).into()),
            ("Revision", self.revision.to_string().into()),
        ];
        if !self.gpu_model.is_empty() {
            details.insert(8, ("GPU model", self.gpu_model.as_str().into()));
        }
        if self.drain_deadline.is_some() {
            let deadline = human::time(self.drain_deadline.as_ref());
            details.insert(2, ("Drained by", deadline.into()));
        }
        details.extend(output::annotations(&self.annotations));
        details
    }
}

fn state_cell(node: &Node) -> Cell {
    let word = human::enum_word(node.state().as_str_name(), "NODE_STATE_");
    let tone = match node.state() {
        NodeState::Ready if node.overcommitted => Tone::Warning,
        NodeState::Ready => Tone::Good,
        NodeState::Cordoned | NodeState::Draining => Tone::Warning,
        NodeState::Lost | NodeState::Removed => Tone::Bad,
        NodeState::Unspecified => Tone::Faint,
    };
    if node.overcommitted {
        return Cell::toned(format!("{word},overcommitted"), tone);
    }
    Cell::toned(word, tone)
}

fn taints(node: &Node) -> String {
    human::labels(node.taints.iter().map(|taint| (&taint.key, &taint.value)))
}
