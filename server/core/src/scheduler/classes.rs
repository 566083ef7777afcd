//! Nodes of one kind with the same slack are one class: what a shape thinks of it is reckoned once a class.
//!
//! Shapes follow the list of classes that came to have members, each at its own pace. In a fleet where hardly two nodes
//! are alike, amounts are rounded down, so that classes stay few; whoever picks a member then looks at it.

use std::{hash::BuildHasher, mem, sync::Arc};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::{
    amounts::{Amounts, Want},
    gpus::GpuWant,
    kind::KindId,
    most::Most,
    room::{Place, Room},
};
use crate::{
    model::{Horizon, NodeId},
    paged::Paged,
};

/// Classes with members beyond which amounts are rounded further, as a part of the members, and at least.
const MEMBERS_PER_CLASS: usize = 2;
const FEW_CLASSES: usize = 2_048;

/// Amounts are rounded to at most 8 cores and 32 GiB.
const COARSEST: u32 = 5;

/// Members of a class that are looked at for one that fits.
const LOOKS: usize = 8;

#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    traits: Traits,
    /// What is left of the shared devices, ascending.
    shares: Arc<[u16]>,
    members: Vec<NodeId>,
}

/// What the members of a class have in common besides their shared devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Traits {
    kind: KindId,
    /// Absent where all horizons are alike.
    horizon: Option<Horizon>,
    /// Over how many longer horizons most of the slack stays.
    lasts: u8,
    has_gpus: bool,
    whole: u16,
    /// No member has more: where amounts are rounded, more than some have.
    most: Amounts,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    /// Positions in `all`.
    by_key: HashTable<u32>,
    all: Paged<Class>,
    /// Where the shares of a node are sorted.
    shares: Vec<u16>,
    /// How many have members.
    live: usize,
    /// How many members all of them have.
    members: usize,
    /// Classes that came to have members, oldest first.
    log: Vec<News>,
    log_base: u64,
    /// Grows when positions change their meaning.
    epoch: u32,
    grain: u32,
}

/// A class that came to have members, with what rules it out for most shapes: it is far from where its news is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) class: u32,
    pub(super) most: Most,
}

/// How far a shape has followed the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    epoch: u32,
    log: u64,
}

/// Lower is better; the derived order is the policy. It packs tight: leave whole what is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    /// Spends what is scarcer than asked for: a GPU node on work without GPUs, an untouched device on a share.
    spends_scarce: bool,
    /// What would be left of the GPUs that are touched: of the device for a share, whole devices otherwise.
    gpus_left: u16,
    /// Over how many longer horizons the room would stay free: long valleys are for long work.
    spends_long: u8,
    /// What would be left of CPU and memory, four GiB taken for a core.
    left: u32,
}

impl Score {
    /// Worse than any other.
    pub(super) const LAST: Self =
        Self { spends_scarce: true, gpus_left: u16::MAX, spends_long: u8::MAX, left: u32::MAX };
}

impl Class {
    fn key(&self) -> (&Traits, &[u16]) {
        (&self.traits, &self.shares)
    }

    pub(super) fn kind(&self) -> KindId {
        self.traits.kind
    }

    /// Whether it tells what its members have over the horizon.
    pub(super) fn is_for(&self, horizon: Horizon) -> bool {
        self.traits.horizon.is_none_or(|own| own == horizon)
    }

    /// Whether some member may have room for a task.
    pub(super) fn may_fit(&self, want: &Want) -> bool {
        !self.members.is_empty()
            && self.traits.most.fits(want)
            && match want.gpus {
                GpuWant::None => true,
                GpuWant::Share(millis) => {
                    self.traits.whole > 0 || self.shares.last().is_some_and(|left| *left >= millis)
                }
                GpuWant::Whole(count) => self.traits.whole >= count,
            }
    }

    pub(super) fn score(&self, want: &Want) -> Score {
        self.traits.score(&self.shares, want)
    }

    #[inline]
    fn news(&self, class: u32) -> News {
        let Traits { most, whole, .. } = &self.traits;
        News { class, most: Most::of(most, *whole, || self.shares.last().copied()) }
    }
}

impl Traits {
    fn score(&self, shares: &[u16], want: &Want) -> Score {
        let (spends_scarce, gpus_left) = match want.gpus {
            GpuWant::None => (self.has_gpus, 0),
            GpuWant::Share(millis) => {
                match shares.get(shares.partition_point(|left| *left < millis)) {
                    Some(left) => (false, left - millis),
                    None => (true, self.whole),
                }
            }
            GpuWant::Whole(count) => (false, self.whole - count),
        };
        let [cpu, memory, ..] = self.most.columns;
        let cpu = u64::try_from(cpu - want.columns[0]).unwrap_or(0);
        let memory = u64::try_from(memory - want.columns[1]).unwrap_or(0);
        let left = u32::try_from(cpu + (memory >> 22)).unwrap_or(u32::MAX);
        let longer = Horizon::COUNT - 1 - want.horizon.index();
        let spends_long = self.horizon.map_or(small(longer), |_| self.lasts);
        Score { spends_scarce, gpus_left, spends_long, left }
    }
}

impl Classes {
    pub(super) fn pages_changed(&self, earlier: &Self) -> usize {
        self.all.pages_changed(&earlier.all)
    }

    pub(super) fn get(&self, class: u32) -> &Class {
        &self.all[class as usize]
    }

    /// A member with room; some may have less than the class is known for.
    pub(super) fn pick(&self, class: u32, fits: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let members = &self.all[class as usize].members;
        members.iter().take(LOOKS).copied().find(|node| fits(*node))
    }

    /// Adds a node by its slack over the horizon, or over all of them, and returns where it is.
    pub(super) fn join(&mut self, node: NodeId, room: &Room, horizon: Option<Horizon>) -> Place {
        let (traits, shares) = self.describe(room, horizon);
        let key = (&traits, &*shares);
        let at = hash(key);
        let known = self.by_key.find(at, |class| self.all[*class as usize].key() == key).copied();
        let class = known.unwrap_or_else(|| {
            let shares = shares.as_slice().into();
            self.add(at, Class { traits, shares, members: Vec::new() })
        });
        self.shares = shares;
        (class, self.add_member(node, class))
    }

    /// Adds a node to a class whose description is its own, and returns its place there.
    pub(super) fn add_member(&mut self, node: NodeId, class: u32) -> u32 {
        self.members += 1;
        let members = &mut self.all[class as usize].members;
        members.push(node);
        let place = position(members.len() - 1);
        if place == 0 {
            self.live += 1;
            self.log.push(self.all[class as usize].news(class));
        }
        place
    }

    /// How the class of a node is ranked for a task that it has room for.
    pub(super) fn score(&mut self, room: &Room, want: &Want) -> Score {
        let horizon = (!room.is_level()).then_some(want.horizon);
        let (traits, shares) = self.describe(room, horizon);
        let score = traits.score(&shares, want);
        self.shares = shares;
        score
    }

    /// Whether the node is in this place of the class, and the class is its own.
    pub(super) fn holds(&mut self, node: NodeId, room: &Room, (class, place): Place) -> bool {
        let horizon = self.get(class).traits.horizon;
        let (traits, shares) = self.describe(room, horizon);
        let class = self.get(class);
        let is_own = class.key() == (&traits, shares.as_slice());
        let holds = is_own && class.members.get(place as usize) == Some(&node);
        self.shares = shares;
        holds
    }

    /// What a node's class is known by. The shares are to be put back.
    fn describe(&mut self, room: &Room, horizon: Option<Horizon>) -> (Traits, Vec<u16>) {
        let kept = horizon.and_then(|horizon| room.besides(horizon));
        let kept_devices = kept.map_or(0, |kept| kept.devices);
        let mut shares = mem::take(&mut self.shares);
        shares.clear();
        shares.extend(room.slack_gpus().shares(kept_devices));
        shares.sort_unstable();
        let most = match kept {
            None => room.slack().clone(),
            Some(kept) => room.slack().without(&kept.amounts),
        };
        let traits = Traits {
            kind: room.kind,
            horizon,
            lasts: horizon.map_or(0, |horizon| lasts(room, horizon)),
            has_gpus: !room.gpus.is_empty(),
            whole: room.slack_gpus().whole(kept_devices),
            most: self.rounded_up(most),
        };
        (traits, shares)
    }

    fn add(&mut self, hash_of_key: u64, class: Class) -> u32 {
        let next = position(self.all.len());
        self.all.push(class);
        let all = &self.all;
        self.by_key.insert_unique(hash_of_key, next, |class| hash(all[*class as usize].key()));
        next
    }

    /// Takes a node out; the node that moves to its place is returned with it.
    pub(super) fn leave(&mut self, class: u32, place: u32) -> Option<NodeId> {
        self.members -= 1;
        let members = &mut self.all[class as usize].members;
        members.swap_remove(place as usize);
        self.live -= usize::from(members.is_empty());
        members.get(place as usize).copied()
    }

    /// The most that is taken for the same as this.
    fn rounded_up(&self, mut slack: Amounts) -> Amounts {
        if self.grain > 0 {
            for (column, bits) in [(0, 8 + self.grain), (1, 30 + self.grain)] {
                slack.columns[column] |= (1 << bits) - 1;
            }
        }
        slack
    }

    /// Whether it is time to begin anew: too many are empty, or too many are not. The caller lets all nodes join
    /// again after [`Self::restart`].
    pub(super) fn is_crowded(&self) -> bool {
        self.all.len() > 4 * self.live + FEW_CLASSES || self.is_too_fine()
    }

    fn is_too_fine(&self) -> bool {
        self.grain < COARSEST && self.live > FEW_CLASSES.max(self.members / MEMBERS_PER_CLASS)
    }

    pub(super) fn restart(&mut self) {
        let grain = self.grain + u32::from(self.is_too_fine());
        *self = Self { epoch: self.epoch + 1, grain, ..Self::default() };
    }

    /// Changes when positions change their meaning.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Where those stand who follow from now on.
    pub(super) fn end(&self) -> Followed {
        Followed { epoch: self.epoch, log: self.log_base + self.log.len() as u64 }
    }

    /// The classes that came to have members since, or `None` when all are to be looked at.
    pub(super) fn since(&self, followed: Followed) -> Option<&[News]> {
        let skipped = usize::try_from(followed.log.checked_sub(self.log_base)?).ok()?;
        (followed.epoch == self.epoch).then(|| &self.log[skipped..])
    }

    /// All classes with members, as if they were new.
    pub(super) fn all_news(&self) -> Vec<News> {
        self.live().map(|(at, class)| class.news(at)).collect()
    }

    fn live(&self) -> impl Iterator<Item = (u32, &Class)> {
        (0..).zip(self.all.iter()).filter(|(_, class)| !class.members.is_empty())
    }

    /// The kinds of all members, some more than once.
    pub(super) fn kinds(&self) -> impl Iterator<Item = KindId> {
        self.live().map(|(_, class)| class.kind())
    }

    /// Forgets what is so old that whoever has not seen it had better look at all classes.
    pub(super) fn trim(&mut self) {
        if self.log.len() > 4 * self.all.len() + 1024 {
            let old = self.log.len() / 2;
            self.log.drain(..old);
            self.log_base += old as u64;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

fn hash(key: (&Traits, &[u16])) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Over how many longer horizons more than half of a node's slack stays.
fn lasts(room: &Room, horizon: Horizon) -> u8 {
    let (now, devices) = room.slack_over(horizon);
    let longer = Horizon::ALL.into_iter().filter(|longer| *longer > horizon);
    let stays = longer.filter(|longer| {
        let (then, then_devices) = room.slack_over(*longer);
        let columns = now.columns.iter().zip(&then.columns);
        let most = |(now, then): (&i64, &i64)| *now <= 0 || 2 * then > *now;
        columns.take(2).all(most) && 2 * then_devices >= devices
    });
    small(stays.count())
}

fn small(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn position(index: usize) -> u32 {
    u32::try_from(index).expect("invariant: fewer than 2^32")
}
