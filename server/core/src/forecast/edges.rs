/// How many classes of misses are told apart.
pub(super) const BINS: usize = 48;

/// By how much at most a peak exceeds a guess in each class, in thousandths of capacity; less than nothing where the
/// guess was too high. Finer near zero, where most misses lie.
pub(super) const EDGES: [i16; BINS] = [
    -500, -350, -250, -180, -130, -90, -65, -45, -30, -20, -13, -8, -5, -3, -2, -1, 0, 1, 2, 3, 4,
    5, 6, 8, 10, 13, 16, 20, 25, 31, 38, 46, 56, 68, 82, 100, 120, 145, 175, 210, 250, 300, 360,
    430, 520, 640, 800, 1000,
];

/// The greatest miss either way: all of the capacity.
const GREATEST: i16 = 1000;

/// The class of every miss from -1000 to 1000.
static CLASSES: [u8; 2001] = classes();

const fn classes() -> [u8; 2001] {
    let mut classes = [0; 2001];
    let mut bin = 0_u8;
    let mut index = 0;
    let mut miss = -GREATEST;
    while index < classes.len() {
        if miss > EDGES[bin as usize] {
            bin += 1;
        }
        classes[index] = bin;
        index += 1;
        miss += 1;
    }
    classes
}

/// The class of a guess that was made when the peak turned out so; both in thousandths.
pub(super) fn bin_of(peak: u16, guess: u16) -> usize {
    let index = (1000 + usize::from(peak)).saturating_sub(usize::from(guess));
    usize::from(CLASSES[index.min(CLASSES.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::{BINS, EDGES, bin_of};

    #[test]
    fn every_miss_is_in_the_first_class_that_covers_it() {
        for peak in 0..=1000 {
            for guess in (0..=1000).step_by(7) {
                let miss =
                    i16::try_from(peak).expect("small") - i16::try_from(guess).expect("small");
                let first = (0..BINS).find(|bin| EDGES[*bin] >= miss);
                assert_eq!(Some(bin_of(peak, guess)), first, "{peak} {guess}");
            }
        }
    }
}
