//! The command line: its help, its exit codes, what it prints for programs, and what it demands of the log.

mod evidence;
mod exits;
mod factors;
mod help;
mod running;
mod shapes;

#[allow(dead_code)]
#[path = "../house/around.rs"]
mod around;
/// The world of the whole house: what it offers is more than is needed here.
#[allow(dead_code)]
#[path = "../house/world.rs"]
mod world;
