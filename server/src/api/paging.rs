//! Pages of a list. A token says where the next page begins; clients hand it back and must not look into it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use xxhash_rust::xxh3::xxh3_64;

use super::convert::{At, Violations};

/// Objects of a page when the client does not say.
const DEFAULT_SIZE: usize = 100;
/// The most objects of a page.
const MAX_SIZE: usize = 1_000;
/// How many objects are looked at for one page; a filter that passes few of them gives short pages.
pub(crate) const MAX_SCANNED: usize = 10_000;

/// The layout of a token.
const VERSION: u8 = 1;
/// Version and fingerprint before the cursor.
const HEADER_BYTES: usize = 9;
/// CRC32C after the cursor.
const CHECKSUM_BYTES: usize = 4;

/// One page of a list of one method with one filter.
#[derive(Debug)]
pub(crate) struct Page {
    size: usize,
    cursor: Vec<u8>,
    fingerprint: u64,
}

/// A page in the making.
#[derive(Debug)]
pub(crate) struct Gathered<T> {
    /// The objects that passed.
    pub(crate) objects: Vec<T>,
    /// Where the next page begins; empty if there is none.
    pub(crate) next_page_token: String,
}

impl Page {
    /// Of the fields of a request; a violation if the token was made by another one.
    pub(crate) fn parse(
        violations: &mut Violations,
        method: &str,
        filter: Option<&impl prost::Message>,
        (size, token): (i32, &str),
    ) -> Self {
        if size < 0 {
            violations.refuse(&At::Root.field("page_size"), "must not be negative");
        }
        let fingerprint = fingerprint(method, filter);
        let cursor = if token.is_empty() { Some(Vec::new()) } else { open(token, fingerprint) };
        if cursor.is_none() {
            let at = At::Root;
            violations
                .refuse(&at.field("page_token"), "was not given out for this list and filter");
        }
        let size = match usize::try_from(size) {
            Ok(0) | Err(_) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
        };
        Self { size, cursor: cursor.unwrap_or_default(), fingerprint }
    }

    /// The name after which the page begins; empty on the first page.
    pub(crate) fn after_name(&self, violations: &mut Violations) -> String {
        String::from_utf8(self.cursor.clone()).unwrap_or_else(|_| self.foreign(violations))
    }

    /// The id with which the page begins.
    pub(crate) fn first_id(&self, violations: &mut Violations) -> u64 {
        match self.cursor.as_slice() {
            [] => 0,
            bytes => bytes.try_into().map_or_else(|_| self.foreign(violations), u64::from_be_bytes),
        }
    }

    fn foreign<T: Default>(&self, violations: &mut Violations) -> T {
        let at = At::Root;
        violations.refuse(&at.field("page_token"), "was not given out for this list");
        T::default()
    }

    /// The first objects that pass. `cursor` says, of the last object looked at, where the page after it begins.
    pub(crate) fn gather<O: Copy, T>(
        &self,
        objects: impl Iterator<Item = O>,
        passes: impl Fn(O) -> bool,
        cursor: impl Fn(O) -> Vec<u8>,
        render: impl Fn(O) -> T,
    ) -> Gathered<T> {
        let mut objects = objects.peekable();
        let mut found = Vec::new();
        let mut scanned = 0;
        while let Some(object) = objects.next() {
            scanned += 1;
            if passes(object) {
                found.push(render(object));
            }
            let full = found.len() == self.size || scanned == MAX_SCANNED;
            if full && objects.peek().is_some() {
                let next_page_token = seal(&cursor(object), self.fingerprint);
                return Gathered { objects: found, next_page_token };
            }
            if full {
                break;
            }
        }
        Gathered { objects: found, next_page_token: String::new() }
    }
}

/// The cursor of a list by id: after this one.
pub(crate) fn after_id(id: u64) -> Vec<u8> {
    id.saturating_add(1).to_be_bytes().to_vec()
}

fn fingerprint(method: &str, filter: Option<&impl prost::Message>) -> u64 {
    let mut bytes = method.as_bytes().to_vec();
    bytes.push(0);
    if let Some(filter) = filter {
        bytes.extend(filter.encode_to_vec());
    }
    xxh3_64(&bytes)
}

fn seal(cursor: &[u8], fingerprint: u64) -> String {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + cursor.len() + CHECKSUM_BYTES);
    bytes.push(VERSION);
    bytes.extend(fingerprint.to_be_bytes());
    bytes.extend(cursor);
    bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The cursor, if the token is whole and of this list.
fn open(token: &str, fingerprint: u64) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    if crc32c::crc32c(body).to_be_bytes() != *checksum {
        return None;
    }
    let (header, cursor) = body.split_at_checked(HEADER_BYTES)?;
    let (version, made_for) = header.split_first()?;
    (*version == VERSION && made_for == fingerprint.to_be_bytes()).then(|| cursor.to_vec())
}

#[cfg(test)]
mod tests {
    use offpeak::v1::JobFilter;

    use super::{MAX_SCANNED, Page, after_id};
    use crate::api::convert::Violations;

    fn filter(tenant: &str) -> JobFilter {
        JobFilter { tenant: tenant.to_owned(), ..JobFilter::default() }
    }

    fn page(filter: &JobFilter, size: i32, token: &str) -> Result<(Page, u64), Violations> {
        let mut violations = Violations::default();
        let page = Page::parse(&mut violations, "ListJobs", Some(filter), (size, token));
        let from = page.first_id(&mut violations);
        violations.check((page, from))
    }

    fn gather(page: &Page, from: u64, to: u64, passes: impl Fn(u64) -> bool) -> (Vec<u64>, String) {
        let gathered = page.gather(from..to, passes, after_id, |id| id);
        (gathered.objects, gathered.next_page_token)
    }

    fn field(result: Result<(Page, u64), Violations>) -> String {
        let violations = result.expect_err("refused");
        violations.iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let filter = filter("a");
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let (page, from) = page(&filter, 3, &token).expect("a token of this list");
            let (ids, next) = gather(&page, from, 10, |id| id % 2 == 0);
            all.extend(ids);
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(all, [0, 2, 4, 6, 8]);
    }

    #[test]
    fn the_last_page_has_no_token_even_when_it_is_full() {
        let (page, from) = page(&filter("a"), 5, "").expect("first page");
        assert_eq!(gather(&page, from, 5, |_| true).1, "");
    }

    #[test]
    fn a_filter_that_passes_little_gives_a_short_page() {
        let (page, from) = page(&filter("a"), 5, "").expect("first page");
        let (ids, token) = gather(&page, from, 1_000_000, |_| false);
        assert_eq!((ids.len(), token.is_empty()), (0, false));
        let (_, next) = super::tests::page(&filter("a"), 5, &token).expect("a token of this list");
        assert_eq!(next, MAX_SCANNED as u64);
    }

    #[test]
    fn tampered_tokens_are_refused() {
        let (page, from) = page(&filter("a"), 1, "").expect("first page");
        let (_, token) = gather(&page, from, 5, |_| true);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(field(super::tests::page(&filter("a"), 1, &tampered)), "page_token");
        }
        for foreign in ["x", "%%%", "é", &token[1..], &format!("{token}A")] {
            assert_eq!(field(super::tests::page(&filter("a"), 1, foreign)), "page_token");
        }
    }

    #[test]
    fn a_token_of_another_filter_is_refused() {
        let (page, from) = page(&filter("a"), 1, "").expect("first page");
        let (_, token) = gather(&page, from, 5, |_| true);
        assert_eq!(field(super::tests::page(&filter("b"), 1, &token)), "page_token");
    }

    #[test]
    fn page_sizes_are_clamped_and_never_negative() {
        let size = |size| page(&filter("a"), size, "").expect("a size").0.size;
        assert_eq!((size(0), size(7), size(1_000_000)), (100, 7, 1_000));
        assert_eq!(field(page(&filter("a"), -1, "")), "page_size");
    }
}
