//! Copies into memory that another processor reads next.
//!
//! Where the lines of the target are still in the other processor's caches, from the last time that it
//! read them, an ordinary store has to take each of them away first: measured on two virtual cores,
//! filling 1 MiB takes 3 to 20 plain copies. Stores that go past the caches take 2, and the reader, which
//! fetches from memory what it would have fetched from the writer's cache, 2 instead of 1.

/// Fills the start of `to` with `from`, as much of it as there is room for.
pub fn copy_for_peer(from: &[u8], to: &mut [u8]) {
    let from = &from[..from.len().min(to.len())];
    // SAFETY: `to` is at least as long, and a `&mut` overlaps nothing.
    unsafe { copy_to_peer(from, to.as_mut_ptr()) };
}

/// The same, into memory that is no slice because the other side may touch it.
///
/// # Safety
/// `to` may be written for as many bytes as `from` has, and does not overlap it.
pub(crate) unsafe fn copy_to_peer(from: &[u8], to: *mut u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let before = to.align_offset(LINE).min(from.len());
        let lines = (from.len() - before) / LINE;
        let (head, rest) = from.split_at(before);
        let (body, tail) = rest.split_at(lines * LINE);
        // SAFETY: the three parts follow one another in both places, which the caller vouches for;
        // the middle one starts on a line and consists of whole ones.
        unsafe {
            to.copy_from_nonoverlapping(head.as_ptr(), head.len());
            stream(body, to.add(before));
            to.add(before + body.len())
                .copy_from_nonoverlapping(tail.as_ptr(), tail.len());
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    // SAFETY: as the caller vouches.
    unsafe {
        to.copy_from_nonoverlapping(from.as_ptr(), from.len());
    }
}

/// Bytes of a cache line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// Stores whole lines past the caches.
///
/// # Safety
/// As for [`copy_to_peer`]; `to` starts on a line, `from` consists of whole ones.
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn stream(from: &[u8], to: *mut u8) {
    use core::arch::x86_64::{
        __m128i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm_sfence, _mm_stream_si128,
    };

    /// How far ahead the source is fetched: it may come from memory too, written in the same way.
    const AHEAD: usize = 2048;
    const PARTS: usize = LINE / size_of::<__m128i>();
    for at in (0..from.len()).step_by(LINE) {
        let source = from.as_ptr().wrapping_add(at).cast::<__m128i>();
        let target = to.wrapping_add(at).cast::<__m128i>();
        // SAFETY: a whole line lies at `at` in both places, on an aligned address in the second.
        // SSE2 is part of x86-64.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(source.cast::<i8>().wrapping_add(AHEAD));
            let mut line = [_mm_loadu_si128(source); PARTS];
            for (part, value) in line.iter_mut().enumerate().skip(1) {
                *value = _mm_loadu_si128(source.add(part));
            }
            for (part, value) in line.into_iter().enumerate() {
                _mm_stream_si128(target.add(part), value);
            }
        }
    }
    // These stores are ordered with nothing, not even a release: what is published next must not overtake them.
    // SAFETY: SSE is part of x86-64.
    unsafe { _mm_sfence() };
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_alignment_arrives_and_nothing_else_is_touched() {
        let source: Vec<u8> = (0..1_000_u32).map(|number| (number % 251) as u8).collect();
        for start in 0..70 {
            for length in (0..200).chain([511, 512, 513, 900]) {
                let mut target = vec![0xee_u8; 1_100];
                copy_for_peer(&source[7..7 + length], &mut target[start..]);
                assert_eq!(target[start..start + length], source[7..7 + length]);
                let others = target[..start].iter().chain(&target[start + length..]);
                assert!(
                    others.into_iter().all(|&byte| byte == 0xee),
                    "{start}, {length}"
                );
            }
        }
    }
}
