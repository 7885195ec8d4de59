//! x
/// Its hidden command.
pub const COMMAND: &str = "idle-process";
