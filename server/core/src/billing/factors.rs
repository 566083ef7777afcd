use std::sync::Arc;

use imbl::OrdMap;

use crate::model::{Name, PLAIN_PERMILLE, Revision, Time};

/// Factors that are kept at most, those in force included, all regions together.
pub const FACTORS_KEPT: usize = 10_000;

/// What demand made of prices, by region, and since when: for what is placed from then on, until the next one does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    regions: OrdMap<Name, Arc<Vec<KeptFactor>>>,
    count: usize,
}

/// A factor as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptFactor {
    /// Since when it holds.
    pub since: Time,
    /// The revision that set it.
    pub revision: Revision,
    /// What is paid, in thousandths of what would be paid else.
    pub factor_permille: u32,
    /// How much was lent of what could be, in thousandths; none if prices ceased to follow demand.
    pub lent_permille: Option<u32>,
}

impl Factors {
    /// What is paid for what was placed in a region at a time, in thousandths.
    #[must_use]
    #[inline]
    pub fn at(&self, region: &Name, placed: Time) -> u32 {
        if self.regions.is_empty() {
            return PLAIN_PERMILLE;
        }
        let Some(kept) = self.regions.get(region) else { return PLAIN_PERMILLE };
        let later = kept.partition_point(|kept| kept.since <= placed);
        later.checked_sub(1).map_or(PLAIN_PERMILLE, |at| kept[at].factor_permille)
    }

    /// The newest factor of a region, in thousandths.
    #[must_use]
    pub fn newest(&self, region: &Name) -> u32 {
        let kept = self.regions.get(region).and_then(|kept| kept.last());
        kept.map_or(PLAIN_PERMILLE, |kept| kept.factor_permille)
    }

    /// All that are kept, region by region, the oldest of each first.
    pub fn all(&self) -> impl Iterator<Item = (&Name, &KeptFactor)> {
        self.regions.iter().flat_map(|(region, kept)| kept.iter().map(move |kept| (region, kept)))
    }

    /// The newest factor of each region where what is placed at a time costs more or less than it would else.
    pub fn in_force(&self, time: Time) -> impl Iterator<Item = (&Name, &KeptFactor)> {
        let newest = self.regions.iter().filter_map(move |(region, kept)| {
            let later = kept.partition_point(|kept| kept.since <= time);
            Some((region, &kept[later.checked_sub(1)?]))
        });
        newest.filter(|(_, kept)| kept.factor_permille != PLAIN_PERMILLE)
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there never was any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether another factor may be added while the oldest allocation was placed at this time.
    #[must_use]
    pub fn have_room(&self, oldest_placed: Time) -> bool {
        self.count < FACTORS_KEPT || self.oldest_unneeded(oldest_placed).is_some()
    }

    /// The region of the oldest factor that no allocation needs.
    fn oldest_unneeded(&self, oldest_placed: Time) -> Option<Name> {
        let unneeded = self
            .regions
            .iter()
            .filter(|(_, kept)| kept.get(1).is_some_and(|next| next.since <= oldest_placed));
        let oldest = unneeded.min_by_key(|(_, kept)| kept.first().map(|first| first.since));
        oldest.map(|(region, _)| region.clone())
    }

    /// Adds a factor. One that would hold from the same time on never did; when there are too many, the oldest goes that
    /// no allocation needs.
    pub(crate) fn add(&mut self, region: &Name, new: KeptFactor, oldest_placed: Time) {
        if self.count >= FACTORS_KEPT
            && let Some(region) = self.oldest_unneeded(oldest_placed)
        {
            Arc::make_mut(&mut self.regions[&region]).remove(0);
            self.count -= 1;
        }
        let kept = Arc::make_mut(self.regions.entry(region.clone()).or_default());
        if kept.last().is_some_and(|last| last.since == new.since) {
            kept.pop();
            self.count -= 1;
        }
        kept.push(new);
        self.count += 1;
    }

    /// For recovery. `None` when it is not the next one of its region.
    pub(super) fn restore(&mut self, region: &Name, kept: KeptFactor) -> Option<()> {
        let last = self.regions.get(region).and_then(|kept| kept.last());
        if last.is_some_and(|last| last.since >= kept.since) {
            return None;
        }
        self.add(region, kept, Time(0));
        Some(())
    }

    /// Compares what is counted with what there is.
    ///
    /// # Panics
    /// When they differ, or when factors hold although prices do not follow demand.
    pub(super) fn check(&self, follow_demand: bool) {
        let kept = self.regions.values().map(|kept| kept.len()).sum::<usize>();
        assert_eq!(kept, self.count, "factors are counted");
        for (region, kept) in &self.regions {
            assert!(
                kept.is_sorted_by(|a, b| a.since < b.since),
                "factors of {region} are in order"
            );
            let newest = kept.last().expect("a region is kept for its factors").factor_permille;
            assert!(follow_demand || newest == PLAIN_PERMILLE, "nothing makes {region} dear");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FACTORS_KEPT, Factors, KeptFactor};
    use crate::model::{Name, Revision, Time};

    fn factor(since: u64) -> KeptFactor {
        let factor_permille = 1_000 + u32::try_from(since % 500).expect("small");
        let (since, revision) = (Time(since), Revision(since));
        KeptFactor { since, revision, factor_permille, lent_permille: Some(700) }
    }

    #[test]
    fn of_too_many_the_oldest_go_that_nothing_needs() {
        let (east, west) =
            (Name::parse("east").expect("a name"), Name::parse("west").expect("a name"));
        let mut factors = Factors::default();
        factors.add(&west, factor(1), Time(0));
        let all = u64::try_from(FACTORS_KEPT).expect("small");
        for since in 2..=all {
            factors.add(&east, factor(since), Time(0));
        }
        assert_eq!(factors.len(), FACTORS_KEPT);
        assert!(!factors.have_room(Time(2)), "the oldest allocation needs what held then");
        assert!(factors.have_room(Time(3)));
        factors.add(&west, factor(all + 1), Time(3));
        assert_eq!(factors.len(), FACTORS_KEPT);
        assert_eq!((factors.at(&east, Time(2)), factors.at(&east, Time(3))), (1_000, 1_003));
        assert_eq!((factors.at(&west, Time(3)), factors.at(&west, Time(all + 1))), (1_001, 1_001));
        factors.check(true);
    }

    #[test]
    fn what_would_hold_from_the_same_time_on_never_did() {
        let west = Name::parse("west").expect("a name");
        let mut factors = Factors::default();
        factors.add(&west, factor(7), Time(0));
        let other = KeptFactor { factor_permille: 2_000, ..factor(7) };
        factors.add(&west, other, Time(0));
        assert_eq!((factors.at(&west, Time(6)), factors.at(&west, Time(7))), (1_000, 2_000));
        assert_eq!(factors.len(), 1);
        factors.check(true);
    }
}
