//! Where a socket lives: with the I/O thread, or on the event loop of JavaScript.
//!
//! A message that the loop reads crosses no thread, which is the quickest way for one socket or a few.
//! The I/O thread reads a crowd in fewer system calls, and reads and decrypts beside listeners that
//! keep JavaScript busy. A socket begins with the thread, where it is opened.
//!
//! | a socket | goes |
//! |---|---|
//! | that speaks while few others do, for a while | to the loop |
//! | that speaks while a crowd does, more than once | to the thread |
//! | that was read much, more than once | to the thread |
//! | in a turn whose listeners took long, more than once | to the thread |
//! | that has much to write, or whose peer takes no more | to the thread |
//!
//! Each way back takes twice as many calm reads as the one before, so that nothing flaps.

use std::{str::FromStr, time::Duration};

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Homes {
    /// Everything lives with the I/O thread.
    #[default]
    Thread,
    /// Everything lives on the loop, except what only the thread can do.
    Loop,
    /// The rule.
    Rule,
    /// Chance, for tests.
    Roam,
}

impl FromStr for Homes {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "thread" => Ok(Self::Thread),
            "loop" => Ok(Self::Loop),
            "rule" => Ok(Self::Rule),
            "roam" => Ok(Self::Roam),
            _ => Err(()),
        }
    }
}

/// What is remembered of one connection.
#[derive(Debug, Default)]
pub struct Stay {
    /// Calm reads in a row, with the thread.
    calm: u32,
    /// Turns in a row, on the loop, that were a reason to leave it.
    strikes: u32,
    /// How often it has left the loop.
    returns: u32,
    /// The window in which it was counted among those that speak.
    pub(crate) counted: u32,
    /// The loop cannot watch its socket.
    bound: bool,
    chance: u32,
}

/// What a turn of the loop did.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopTurn {
    /// How many sockets speak, in both homes.
    pub speakers: usize,
    /// How long JavaScript worked on what they brought.
    pub busy: Duration,
}

impl Homes {
    /// Whether a connection leaves the I/O thread, which has just read all that had come: `bytes`, while
    /// so many `speakers` are there in both homes.
    #[must_use]
    pub fn leaves_thread(self, stay: &mut Stay, speakers: usize, bytes: usize) -> bool {
        if stay.bound {
            return false;
        }
        match self {
            Self::Thread => false,
            Self::Loop => true,
            Self::Roam => stay.tosses(),
            Self::Rule => {
                if speakers > FEW || bytes > MUCH {
                    stay.calm = 0;
                    return false;
                }
                stay.calm += 1;
                stay.calm >= CALM_READS << stay.returns.min(MOST_DOUBLINGS)
            }
        }
    }

    /// Whether a connection leaves the loop, which has read `bytes` of it in that turn.
    #[must_use]
    pub fn leaves_loop(self, stay: &mut Stay, turn: &LoopTurn, bytes: usize) -> bool {
        match self {
            Self::Thread => true,
            Self::Loop => false,
            Self::Roam => stay.tosses(),
            Self::Rule => {
                if turn.speakers <= CROWD && bytes <= MUCH && turn.busy <= BUSY {
                    stay.strikes = 0;
                    return false;
                }
                stay.strikes += 1;
                stay.strikes >= STRIKES
            }
        }
    }
}

impl Stay {
    /// The connection has left the loop.
    pub fn left_loop(&mut self) {
        self.calm = 0;
        self.strikes = 0;
        self.returns = self.returns.saturating_add(1);
    }

    /// The connection stays with the thread for good.
    pub fn bind(&mut self) {
        self.bound = true;
    }

    /// True once in four times, without a pattern.
    fn tosses(&mut self) -> bool {
        self.chance = self
            .chance
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.chance >> 30 == 0
    }
}

/// Sockets that speak, up to which the loop serves them best. Echo of 16 over TCP and TLS: 2.6 times the
/// throughput of ws on the loop, 1.9 times with the thread.
const FEW: usize = 16;

/// Sockets that speak, above which the thread is cheaper. Echo of 100 over TCP: CPU .55 of ws with the
/// thread, .76 with some of them on the loop.
const CROWD: usize = 32;

/// Bytes of a socket in one turn, from which on reading beside JavaScript pays. Receiving 16 KiB: CPU .78
/// of ws and 1.14 times its throughput with the thread over TCP, .90 and .97 on the loop; over TLS .38 and
/// 2.6, .43 and 2.1. A round trip of a few kilobytes never brings so many at once.
const MUCH: usize = 32 * 1024;

/// Listeners that take so long keep other sockets waiting, whose messages the thread could decrypt
/// meanwhile: 400 of 16 KiB over TLS, at 10 us each. Two hundred moves take as long.
const BUSY: Duration = Duration::from_millis(4);

/// Calm reads before a socket goes to the loop for the first time. A move takes 20 us, and a round trip on
/// the loop 17 us less than with the thread: after three, both ways are paid.
const CALM_READS: u32 = 4;

/// The calm reads that it takes at last: 4,096. Both ways are then 0.01 us a message.
const MOST_DOUBLINGS: u32 = 10;

/// Turns in a row that send a socket to the thread: one alone may be a coincidence, and both ways take
/// 40 us.
const STRIKES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: LoopTurn = LoopTurn {
        speakers: 1,
        busy: Duration::ZERO,
    };

    fn reads_until_it_leaves(stay: &mut Stay) -> u32 {
        (1..)
            .find(|_| Homes::Rule.leaves_thread(stay, 1, 100))
            .unwrap()
    }

    #[test]
    fn the_table_of_the_thread() {
        let rows = [
            ("a lone small read", 1, 100, true),
            ("as many speakers as are few", FEW, 100, true),
            ("a crowd", FEW + 1, 100, false),
            ("as many bytes as are not much", 1, MUCH, true),
            ("much", 1, MUCH + 1, false),
        ];
        for (name, speakers, bytes, leaves) in rows {
            let mut stay = Stay::default();
            let left =
                (0..CALM_READS).any(|_| Homes::Rule.leaves_thread(&mut stay, speakers, bytes));
            assert_eq!(left, leaves, "{name}");
        }
    }

    #[test]
    fn the_table_of_the_loop() {
        let busy = BUSY + Duration::from_micros(1);
        let rows = [
            ("a lone small read", 1, 100, Duration::ZERO, false),
            (
                "as many speakers as are no crowd",
                CROWD,
                100,
                Duration::ZERO,
                false,
            ),
            ("a crowd", CROWD + 1, 100, Duration::ZERO, true),
            (
                "as many bytes as are not much",
                1,
                MUCH,
                Duration::ZERO,
                false,
            ),
            ("much", 1, MUCH + 1, Duration::ZERO, true),
            ("listeners that are quick enough", 1, 100, BUSY, false),
            ("listeners that take long", 1, 100, busy, true),
        ];
        for (name, speakers, bytes, busy, leaves) in rows {
            let mut stay = Stay::default();
            let turn = LoopTurn { speakers, busy };
            let mut left = false;
            for strike in 1..=STRIKES {
                left = Homes::Rule.leaves_loop(&mut stay, &turn, bytes);
                assert!(!left || strike == STRIKES, "{name}");
            }
            assert_eq!(left, leaves, "{name}");
        }
    }

    #[test]
    fn one_calm_turn_makes_up_for_what_was_before() {
        let crowd = LoopTurn {
            speakers: CROWD + 1,
            ..CALM
        };
        let mut stay = Stay::default();
        for _ in 0..10 {
            for _ in 1..STRIKES {
                assert!(!Homes::Rule.leaves_loop(&mut stay, &crowd, 100));
            }
            assert!(!Homes::Rule.leaves_loop(&mut stay, &CALM, 100));
        }
    }

    #[test]
    fn each_way_back_takes_twice_as_many_calm_reads_up_to_a_bound() {
        let mut stay = Stay::default();
        let mut expected = CALM_READS;
        for _ in 0..MOST_DOUBLINGS {
            assert_eq!(reads_until_it_leaves(&mut stay), expected);
            stay.left_loop();
            expected *= 2;
        }
        assert_eq!(reads_until_it_leaves(&mut stay), expected);
        stay.left_loop();
        assert_eq!(reads_until_it_leaves(&mut stay), expected);
    }

    #[test]
    fn a_crowd_between_calm_reads_begins_the_count_anew() {
        let mut stay = Stay::default();
        for _ in 1..CALM_READS {
            assert!(!Homes::Rule.leaves_thread(&mut stay, 1, 100));
        }
        assert!(!Homes::Rule.leaves_thread(&mut stay, FEW + 1, 100));
        assert_eq!(reads_until_it_leaves(&mut stay), CALM_READS);
    }

    #[test]
    fn forced_homes_keep_everything_and_chance_moves_both_ways() {
        let crowd = LoopTurn {
            speakers: 1000,
            busy: Duration::from_secs(1),
        };
        for _ in 0..100 {
            let mut stay = Stay::default();
            assert!(!Homes::Thread.leaves_thread(&mut stay, 1, 1));
            assert!(Homes::Loop.leaves_thread(&mut stay, 1000, 1 << 20));
            assert!(!Homes::Loop.leaves_loop(&mut stay, &crowd, 1 << 20));
        }
        let mut stay = Stay::default();
        let tosses: Vec<bool> = (0..100)
            .map(|_| Homes::Roam.leaves_thread(&mut stay, 1, 1))
            .collect();
        assert!(tosses.contains(&true) && tosses.contains(&false));
    }

    #[test]
    fn a_socket_that_the_loop_cannot_watch_stays_with_the_thread() {
        let mut stay = Stay::default();
        stay.bind();
        for homes in [Homes::Loop, Homes::Rule, Homes::Roam] {
            assert!((0..100).all(|_| !homes.leaves_thread(&mut stay, 1, 1)));
        }
    }
}
