//! The kernel's answers.

use nix::errno::Errno;

use super::{Asked, Doubt, Kernel, Token};
use crate::netlink::batch::{Answer, MAX_BATCH_REQUESTS, Outcome, Request};
use crate::units::Instant;
use crate::vrrp::ObjectId;

impl Kernel {
    pub(super) fn ask_whether_open(&mut self, now: Instant) {
        // Not all of thousands at once.
        for _ in 0..MAX_BATCH_REQUESTS {
            let Some((object, link, address)) = self.ipv6_readiness.take_due(now) else { return };
            match self.commands.push(Request::CheckLocal(link, address), Token::Open(object)) {
                Ok(()) => *self.in_flight.entry(object).or_default() += 1,
                // Too much to do: later.
                Err(_) => self.open_or_not(object, false, now),
            }
        }
    }

    fn open_or_not(&mut self, object: ObjectId, open: bool, now: Instant) {
        if self.ipv6_readiness.answered(object, open, now) {
            self.news.opened = true;
            let asked = Asked { object, present: true, unsure: false, again: false };
            self.finish(asked, Ok(()), None);
        }
    }

    pub(super) fn answered(&mut self, answer: Answer<Token>, now: Instant) {
        let Answer { token, outcome } = answer;
        if let Some(object) = token.object() {
            if let Some(count) = self.in_flight.get_mut(&object) {
                *count -= 1;
                if *count == 0 {
                    self.in_flight.remove(&object);
                }
            }
            self.dirty.insert(object);
        }
        match token {
            Token::Asked(asked) => self.answer(asked, outcome, now),
            Token::Finds(asked) => {
                let found = match outcome {
                    Outcome::Found(found) => found,
                    Outcome::Done(_) | Outcome::Unchanged | Outcome::Refused(_) | Outcome::Lost => {
                        None
                    }
                };
                self.lost.push((asked, Doubt::InTheWay(found)));
            }
            Token::Open(object) => {
                self.open_or_not(object, matches!(outcome, Outcome::Done(_)), now);
            }
            // Should it have stayed, the answer to what comes behind it says so.
            Token::Way(_) => {}
            Token::Again(object) => {
                if matches!(outcome, Outcome::Refused(_) | Outcome::Lost) {
                    self.went_along.insert(object);
                    self.news.opened = true;
                }
            }
            Token::Promotion(object, link) => {
                if let Outcome::Refused(error) = outcome {
                    self.not_promoted(object, link, &error);
                }
            }
        }
    }

    fn answer(&mut self, asked: Asked, outcome: Outcome, now: Instant) {
        let Asked { object, present, .. } = asked;
        if !matches!(outcome, Outcome::Done(_)) {
            self.unheard.remove(&object);
        }
        match outcome {
            Outcome::Unchanged if asked.unsure => {
                self.ipv6_readiness.forget(object);
                self.lost.push((asked, Doubt::Exists));
            }
            Outcome::Done(_) | Outcome::Unchanged | Outcome::Found(_) => {
                if present && outcome == Outcome::Unchanged {
                    self.news.there.push(object);
                }
                if !present {
                    self.places.remove(&object);
                }
                if !present || !self.ipv6_readiness.added(object, now) {
                    self.finish(asked, Ok(()), None);
                }
            }
            Outcome::Refused(error) => {
                self.ipv6_readiness.forget(object);
                self.finish(asked, Err(error.errno), error.text);
            }
            Outcome::Lost => {
                self.ipv6_readiness.forget(object);
                self.lost.push((asked, Doubt::Unless(Errno::EAGAIN)));
            }
        }
    }
}
