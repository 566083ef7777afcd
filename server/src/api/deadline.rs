//! The time that a client gives a call.

use std::time::{Duration, Instant};

use tonic::{Request, Status, metadata::MetadataMap};

use super::status::ApiError;

/// The header as gRPC over HTTP/2 defines it.
const HEADER: &str = "grpc-timeout";
/// The most digits of a timeout.
const MAX_DIGITS: usize = 8;
/// Kept back from a call's time so that its answer still arrives.
const MARGIN: Duration = Duration::from_millis(20);

/// When a call's time is over.
#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

/// Refuses calls whose timeout cannot be read, and notes the deadline of the others. That the call ends in time is
/// the transport's part.
pub(super) fn note(mut request: Request<()>) -> Result<Request<()>, Status> {
    if let Some(timeout) = timeout(request.metadata())? {
        // A timeout of many years may lie beyond what the clock can tell; then there is none.
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            request.extensions_mut().insert(Deadline(deadline));
        }
    }
    Ok(request)
}

/// How long a call may still wait, `limit` at most.
pub(super) fn patience<T>(request: &Request<T>, limit: Duration) -> Duration {
    let Some(Deadline(deadline)) = request.extensions().get() else {
        return limit;
    };
    limit.min(deadline.saturating_duration_since(Instant::now()).saturating_sub(MARGIN))
}

fn timeout(metadata: &MetadataMap) -> Result<Option<Duration>, ApiError> {
    let Some(value) = metadata.get(HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| ApiError::MalformedTimeout)?;
    parse(text).map(Some).ok_or(ApiError::MalformedTimeout)
}

fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.len().checked_sub(1)?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3_600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Request};

    use super::{note, patience};

    fn noted(timeout: &str) -> Result<Request<()>, Code> {
        let mut request = Request::new(());
        request.metadata_mut().insert("grpc-timeout", timeout.parse().expect("a header value"));
        note(request).map_err(|status| status.code())
    }

    #[test]
    fn malformed_timeouts_are_refused() {
        for timeout in ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "1 S", "+1S", "1SS"] {
            assert_eq!(noted(timeout).err(), Some(Code::InvalidArgument), "{timeout:?}");
        }
    }

    #[test]
    fn a_wait_ends_before_the_call_does() {
        let limit = Duration::from_secs(5);
        assert_eq!(patience(&Request::new(()), limit), limit);
        assert_eq!(patience(&noted("99999999H").expect("well-formed"), limit), limit);
        assert!(patience(&noted("1S").expect("well-formed"), limit) < Duration::from_secs(1));
        assert_eq!(patience(&noted("1n").expect("well-formed"), limit), Duration::ZERO);
    }
}
