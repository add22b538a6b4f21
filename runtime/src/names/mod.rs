//! What raw values of the kernel are called: errors, signals, users, cgroups, allocation flags, addresses of networks, times.

pub mod cgroups;
pub mod errno;
pub mod gfp;
pub mod inet;
pub mod signals;
pub mod time;
pub mod users;
