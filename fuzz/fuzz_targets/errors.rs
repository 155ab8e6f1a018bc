//! Whatever a worker sends as an error or a result becomes an error or a value.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    pyproc::fuzzing::answer(bytes);
});
