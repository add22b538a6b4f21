//! The texts and names of errors.

use std::ffi::CStr;

use syscalls::Errno;

/// The text of an error as the C library has it in English; `Unknown error N` for a number that has none.
///
/// Nothing here calls `setlocale(3)`, so the locale of the environment changes nothing.
#[must_use]
pub fn strerror(error: i64) -> String {
    let unknown = || format!("Unknown error {error}");
    let Ok(number) = i32::try_from(error) else { return unknown() };
    let mut text = [0u8; 128];
    // SAFETY: the pointer and the length are those of one buffer.
    let failed = unsafe { libc::strerror_r(number, text.as_mut_ptr().cast(), text.len()) };
    match CStr::from_bytes_until_nul(&text) {
        Ok(text) if failed == 0 && !text.is_empty() => text.to_string_lossy().into_owned(),
        _ => unknown(),
    }
}

/// The name of an error, `ENOENT`; `None` for a number that has none.
#[must_use]
pub fn errno_name(error: i64) -> Option<&'static str> {
    Errno::new(i32::try_from(error).ok()?).name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_c_library() {
        assert_eq!(strerror(0), "Success");
        assert_eq!(strerror(2), "No such file or directory");
        assert_eq!(strerror(11), "Resource temporarily unavailable");
        assert_eq!(strerror(-2), "Unknown error -2");
        assert_eq!(strerror(512), "Unknown error 512");
        assert_eq!(strerror(i64::MAX), "Unknown error 9223372036854775807");
    }

    #[test]
    fn names_are_those_of_the_headers() {
        assert_eq!(errno_name(2), Some("ENOENT"));
        assert_eq!(errno_name(11), Some("EAGAIN"));
        assert_eq!(errno_name(0), None);
        assert_eq!(errno_name(-2), None);
        assert_eq!(errno_name(i64::MIN), None);
    }
}
