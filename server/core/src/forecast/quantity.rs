use borsh::{BorshDeserialize, BorshSerialize};

/// A part of a node's capacity, in thousandths: from 0 to 1000.
#[derive(
    BorshDeserialize, BorshSerialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord,
)]
pub struct Share(u16);

impl Share {
    /// All of it.
    pub const FULL: Self = Self(1000);

    /// So many thousandths; more than all of it is all of it.
    #[must_use]
    pub fn permille(permille: u64) -> Self {
        Self(u16::try_from(permille).map_or(Self::FULL.0, |permille| permille.min(Self::FULL.0)))
    }

    /// In thousandths.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

/// How often a bound may be exceeded, in millionths of the times that it is made.
#[derive(BorshDeserialize, BorshSerialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk(u32);

impl Risk {
    /// Once in a hundred times.
    pub const DEFAULT: Self = Self(10_000);
    /// Once in a thousand times.
    pub const CAREFUL: Self = Self(1_000);
    /// The least that can be promised, and the most that makes sense.
    const RANGE: (u32, u32) = (10, 500_000);

    /// So many millionths, from 10 to 500,000; what is outside is taken for the nearest.
    #[must_use]
    pub fn ppm(ppm: u32) -> Self {
        Self(ppm.clamp(Self::RANGE.0, Self::RANGE.1))
    }

    /// In millionths.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// What an owner is promised for each horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Risks {
    /// For five minutes, decided anew at every sample.
    pub five_minutes: Risk,
    /// For an hour.
    pub hour: Risk,
    /// For six hours.
    pub six_hours: Risk,
    /// For a day.
    pub day: Risk,
}

impl Risks {
    /// The same for every horizon.
    #[must_use]
    pub fn all(risk: Risk) -> Self {
        Self { five_minutes: risk, hour: risk, six_hours: risk, day: risk }
    }
}

impl Default for Risks {
    fn default() -> Self {
        Self { five_minutes: Risk::CAREFUL, ..Self::all(Risk::DEFAULT) }
    }
}
