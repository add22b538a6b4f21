//! What raw values of the kernel are called: errors, signals, users, cgroups, addresses of networks, times.

pub mod cgroups;
pub mod errno;
pub mod inet;
pub mod signals;
pub mod time;
pub mod users;
