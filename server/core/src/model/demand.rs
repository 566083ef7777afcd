/// Steps that a curve has at most.
pub const MAX_DEMAND_STEPS: usize = 16;

/// What is paid where nothing is dear, in thousandths.
pub const PLAIN_PERMILLE: u32 = 1_000;

/// By so much a share must lie below a step before prices fall, in thousandths: a region that is about as full as a step
/// says does not change its prices again and again.
const SLACK_PERMILLE: u32 = 50;

/// How prices follow demand: the more of a region is lent, the more is paid there. Empty: they do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DemandCurve(Vec<DemandStep>);

/// From which share on how much is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemandStep {
    /// When so much of what a region could lend is lent, in thousandths; at most 1000.
    pub lent_permille: u32,
    /// Tenants pay so many thousandths of what they would pay else; at least 1.
    pub factor_permille: u32,
}

/// Why steps are no curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveError {
    /// There are too many of them.
    TooMany,
    /// The one at this index has a number that is out of its range.
    OutOfRange(usize),
    /// The one at this index asks for no more than the one before it, or than what is paid below the first.
    NotAscending(usize),
}

impl DemandCurve {
    /// A curve. Below its first step [`PLAIN_PERMILLE`] is paid.
    ///
    /// # Errors
    /// When shares and factors do not ascend, both, or lie out of range.
    pub fn new(steps: Vec<DemandStep>) -> Result<Self, CurveError> {
        if steps.len() > MAX_DEMAND_STEPS {
            return Err(CurveError::TooMany);
        }
        let mut before: Option<DemandStep> = None;
        for (at, step) in steps.iter().enumerate() {
            let factors = 1..=super::MAX_PRICE_PERMILLE;
            if step.lent_permille > 1_000 || !factors.contains(&step.factor_permille) {
                return Err(CurveError::OutOfRange(at));
            }
            let ascends = match before {
                None => step.lent_permille == 0 || step.factor_permille > PLAIN_PERMILLE,
                Some(DemandStep { lent_permille, factor_permille }) => {
                    step.lent_permille > lent_permille && step.factor_permille > factor_permille
                }
            };
            if !ascends {
                return Err(CurveError::NotAscending(at));
            }
            before = Some(*step);
        }
        Ok(Self(steps))
    }

    /// The steps, ascending.
    #[must_use]
    pub fn steps(&self) -> &[DemandStep] {
        &self.0
    }

    /// Whether prices do not follow demand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is to be paid where `now` is paid and so much is lent, all in thousandths. It rises as soon as a step is
    /// reached and falls only when the share lies well below it.
    #[must_use]
    pub fn follow(&self, now: u32, lent_permille: u32) -> u32 {
        let least = self.at(lent_permille);
        if !self.knows(now) {
            return least;
        }
        now.clamp(least, self.at(lent_permille.saturating_add(SLACK_PERMILLE)))
    }

    fn at(&self, lent_permille: u32) -> u32 {
        let reached = self.0.iter().take_while(|step| step.lent_permille <= lent_permille);
        reached.last().map_or(PLAIN_PERMILLE, |step| step.factor_permille)
    }

    fn knows(&self, factor_permille: u32) -> bool {
        let starts_later = self.0.first().is_none_or(|step| step.lent_permille > 0);
        (starts_later && factor_permille == PLAIN_PERMILLE)
            || self.0.iter().any(|step| step.factor_permille == factor_permille)
    }
}

#[cfg(test)]
mod tests {
    use super::{CurveError, DemandCurve, DemandStep};

    fn curve(steps: &[(u32, u32)]) -> Result<DemandCurve, CurveError> {
        let step =
            |&(lent_permille, factor_permille)| DemandStep { lent_permille, factor_permille };
        DemandCurve::new(steps.iter().map(step).collect())
    }

    #[test]
    fn prices_rise_at_a_step_and_fall_well_below_it() {
        let curve = curve(&[(700, 1_200), (720, 1_300), (900, 1_500)]).expect("a curve");
        let paid = [(1_000, 699), (1_000, 700), (1_200, 670), (1_300, 671), (1_200, 720)];
        assert_eq!(
            paid.map(|(now, lent)| curve.follow(now, lent)),
            [1_000, 1_200, 1_200, 1_300, 1_300]
        );
        assert_eq!(curve.follow(1_300, 669), 1_200);
        assert_eq!(curve.follow(1_500, 850), 1_500);
        assert_eq!(curve.follow(1_500, 849), 1_300);
        assert_eq!(curve.follow(1_500, 0), 1_000);
        assert_eq!(curve.follow(1_000, 1_000), 1_500);
    }

    #[test]
    fn a_factor_that_the_curve_does_not_know_ends() {
        let curve = curve(&[(0, 800), (700, 1_200)]).expect("a curve");
        assert_eq!(curve.follow(1_000, 660), 800);
        assert_eq!(curve.follow(1_200, 660), 1_200);
        assert_eq!(curve.follow(1_500, 700), 1_200);
    }

    #[test]
    fn steps_that_do_not_ascend_are_no_curve() {
        for (steps, wrong) in [
            (vec![(1_001, 1_200)], CurveError::OutOfRange(0)),
            (vec![(0, 0)], CurveError::OutOfRange(0)),
            (vec![(0, 100_001)], CurveError::OutOfRange(0)),
            (vec![(700, 1_000)], CurveError::NotAscending(0)),
            (vec![(0, 800), (0, 900)], CurveError::NotAscending(1)),
            (vec![(0, 800), (700, 800)], CurveError::NotAscending(1)),
            ((0..17).map(|at| (at, 1_001 + at)).collect(), CurveError::TooMany),
        ] {
            assert_eq!(curve(&steps), Err(wrong), "{steps:?}");
        }
        assert_eq!(curve(&[]), Ok(DemandCurve::default()));
    }
}
