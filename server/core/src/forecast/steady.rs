use super::Share;

/// What is lent grows only after so many samples in a row would have allowed it.
const PATIENCE: u8 = 12;

/// A bound that falls late and rises at once, for work that would rather have less than be evicted often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steady {
    bound: Share,
    /// The greatest of the lower bounds since, and how many there were.
    lower: Share,
    count: u8,
}

impl Default for Steady {
    fn default() -> Self {
        Self { bound: Share::FULL, lower: Share::default(), count: 0 }
    }
}

impl Steady {
    /// Follows the bound of a sample, and gives the steady one.
    pub fn follow(&mut self, bound: Share) -> Share {
        if bound >= self.bound {
            *self = Self { bound, ..Self::default() };
            return bound;
        }
        self.lower = self.lower.max(bound);
        self.count += 1;
        if self.count == PATIENCE {
            *self = Self { bound: self.lower, ..Self::default() };
        }
        self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, Steady};
    use crate::forecast::Share;

    #[test]
    fn it_rises_at_once_and_falls_to_the_greatest_of_an_hour() {
        let mut steady = Steady::default();
        let mut follow = |permille| steady.follow(Share::permille(permille)).get();
        for _ in 1..PATIENCE {
            assert_eq!(follow(300), 1000);
        }
        assert_eq!(follow(350), 350);
        for _ in 1..PATIENCE {
            assert_eq!(follow(100), 350);
        }
        assert_eq!(follow(400), 400);
        for _ in 1..PATIENCE {
            assert_eq!(follow(100), 400, "the count began anew");
        }
        assert_eq!(follow(100), 100);
    }
}
