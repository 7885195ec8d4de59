//! Sections 5 to 7 of the rules, and what Steadfast promises beyond them: the engine driven by
//! a clock that only the tests move.

mod announcements;
mod attack;
mod backup;
mod chance;
mod driver;
mod fault;
mod foreign;
mod given;
mod group;
mod hand_over;
mod initialize;
mod kernel;
mod late;
mod master;
mod owner;
mod reload;
mod reload_by_chance;
mod restart;
mod second_holder;
mod statistics;
mod switchover;
mod timers;
mod unheard;
