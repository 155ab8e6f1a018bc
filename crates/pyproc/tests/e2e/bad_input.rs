//! What people get wrong, and the whole sentence that they read then.

mod arguments;
mod bodies;
mod configuration;
mod interpreter;
mod resources;
mod results;
mod script;
