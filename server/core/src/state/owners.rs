//! Owners: which nodes are whose, and what their windows hold back of them.

use std::sync::Arc;

use super::{
    State,
    apply::{held_back, held_back_by},
};
use crate::model::{HeldBack, Name, Node, NodeId, Owner, OwnerSpec, Windows};

impl State {
    pub(super) fn update_owner(&mut self, spec: &Arc<OwnerSpec>, windows: &Arc<Windows>) {
        let revision = self.revision;
        let known = self.owners.entry(spec.name.clone());
        known.or_insert_with(|| Owner::new(spec.name.clone())).revision = revision;
        self.change_owner(&spec.name, |owner| {
            owner.spec = Arc::clone(spec);
            owner.windows = Arc::clone(windows);
        });
        self.forget_idle(&spec.name);
    }

    /// Changes an owner, looks which of its windows count now, and what they hold back of its nodes.
    pub(super) fn change_owner(&mut self, name: &Name, change: impl FnOnce(&mut Owner)) {
        let owner = self.owners.get_mut(name).expect("invariant: the event's owner is kept");
        change(owner);
        owner.turn(self.now);
        let owner = &self.owners[name];
        for id in owner.nodes() {
            let node = self.nodes.get_mut(u64::from(id.0)).expect("invariant: an owner's node");
            node.held_back = held_back(node, &self.policy, Some(owner));
        }
    }

    /// For recovery, before there are nodes.
    pub(super) fn insert_owner(&mut self, owner: Owner) {
        self.owners.insert(owner.spec.name.clone(), owner);
    }

    pub(super) fn add_to_owner(&mut self, name: &Name, node: NodeId) {
        if !name.is_empty() {
            let known = self.owners.entry(name.clone());
            known.or_insert_with(|| Owner::new(name.clone())).add_node(node);
        }
    }

    pub(super) fn take_from_owner(&mut self, name: &Name, node: NodeId) {
        if let Some(owner) = self.owners.get_mut(name) {
            owner.remove_node(node);
            self.forget_idle(name);
        }
    }

    fn forget_idle(&mut self, name: &Name) {
        if self.owners.get(name).is_some_and(Owner::is_idle) {
            self.owners.remove(name);
        }
    }

    /// What the owner of a node would keep of it now if no window lay ahead.
    pub(crate) fn held_back_now(&self, node: &Node) -> HeldBack {
        let owner = self.owner(&node.spec.owner);
        let windows = owner.and_then(|owner| owner.held_back_now(&node.spec, self.now));
        held_back_by(node, &self.policy, windows)
    }
}
