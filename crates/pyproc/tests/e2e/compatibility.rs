//! Python code that was not written for these tests: workers as the documentation shows them, those
//! of the older pyproc, modules that never heard of pyproc, and what such code does at its edges.

mod mapping;
mod scripts;
mod surroundings;
mod values;
