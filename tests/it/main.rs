//! Tests over real sockets, files and databases; one binary, one file a room.

mod fake_mta;
mod relay;
