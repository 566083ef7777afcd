use std::sync::Arc;

use super::{Millis, Resources};

/// How far ahead an owner's load is bounded: for how long a task that is placed now is to be left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Horizon {
    /// The closed loop: decided anew with every report.
    #[default]
    FiveMinutes,
    /// An hour.
    Hour,
    /// Six hours.
    SixHours,
    /// A day, and whatever is longer.
    Day,
}

impl Horizon {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The shortest first.
    pub const ALL: [Self; Self::COUNT] = [Self::FiveMinutes, Self::Hour, Self::SixHours, Self::Day];

    /// The shortest one that covers a task that must be left alone for so long, or the longest.
    #[must_use]
    pub fn covering(min_runtime: Millis) -> Self {
        let covers = |horizon: &Self| min_runtime <= horizon.length();
        Self::ALL.into_iter().find(covers).unwrap_or(Self::Day)
    }

    /// How far it reaches.
    #[must_use]
    pub fn length(self) -> Millis {
        match self {
            Self::FiveMinutes => Millis(5 * Millis::MINUTE.0),
            Self::Hour => Millis::HOUR,
            Self::SixHours => Millis(6 * Millis::HOUR.0),
            Self::Day => Millis::DAY,
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What an owner keeps of a node over each horizon: the longer it is, the more. Two words for each of many nodes: absent
/// where nothing is kept, one entry where it is the same over all horizons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBack(Option<Arc<[Resources]>>);

static NOTHING: Resources = Resources::NOTHING;

impl HeldBack {
    /// The same over all horizons.
    #[must_use]
    pub fn always(held: &Resources) -> Self {
        Self((!held.is_zero()).then(|| Arc::from([held.clone()])))
    }

    /// From what each horizon asks for by itself: what is kept over a short one is kept over the longer ones too.
    #[must_use]
    pub fn of(mut bounds: [Resources; Horizon::COUNT]) -> Self {
        for at in 1..Horizon::COUNT {
            bounds[at] = bounds[at].larger_of(&bounds[at - 1]);
        }
        if bounds[0] == bounds[Horizon::COUNT - 1] {
            return Self::always(&bounds[0]);
        }
        Self(Some(Arc::from(bounds)))
    }

    /// What is kept over a horizon.
    #[must_use]
    pub fn over(&self, horizon: Horizon) -> &Resources {
        let Some(held) = &self.0 else { return &NOTHING };
        held.get(horizon.index()).unwrap_or(&held[0])
    }

    /// Whether it is the same over all horizons.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.0.as_ref().is_none_or(|held| held.len() == 1)
    }
}
