//! Who can be reached: a failure detector by gossip (SWIM, Das et al. 2002, as the library `foca` has it).
//!
//! Every probe period a node probes one other, directly and, when no answer comes in half of that,
//! through two others; one that does not answer is *suspected*, which it may deny for a while, and then
//! counts as down. News travel with all messages. A node that counts as down and hears of it comes back
//! under its next name. All members are known beforehand and count as up until the contrary is known.
//!
//! With `gossip` the interval of gossip, the probe period is twice that, so a node that stops among n is
//! down for everybody that can reach another one after at most `2·gossip·n + suspect-ms` and the time
//! that gossip takes: 1.5 s and a few intervals for five nodes with the defaults. A node that is back is
//! up after a few intervals. The answer is a belief: whoever acts on it must be right when it is wrong.
//!
//! `foca` does no I/O: it is given messages and expired timers, and says what to send and when to wake.
//! The rest of the store knows [`Membership`] only.

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foca::{
    AccumulatingRuntime, Foca, Identity, NoCustomBroadcast, OwnedNotification, PeriodicParams, PostcardCodec,
    Timer,
};
use parking_lot::{Mutex, RwLock};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::world::World;

/// A node in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    node: String,
    /// Greater than in any former life of the node.
    life: u64,
    /// How often it came back in this life.
    returns: u32,
}

impl Identity for Name {
    type Addr = String;

    fn renew(&self) -> Option<Self> {
        Some(Self { returns: self.returns.saturating_add(1), ..self.clone() })
    }

    fn addr(&self) -> String {
        self.node.clone()
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        (self.life, self.returns) > (other.life, other.returns)
    }
}

/// Something that the detector is to do.
type Act = dyn FnOnce(&mut Detector, &mut AccumulatingRuntime<Name>) -> Result<(), foca::Error>;

type Detector = Foca<Name, PostcardCodec, ChaCha8Rng, NoCustomBroadcast>;

/// Brings a message to another node, or not; never waits.
pub type Send = Arc<dyn Fn(String, Bytes) + std::marker::Send + Sync>;

/// How fast failures are noticed.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often news are told.
    pub gossip: Duration,
    /// How long a node may deny that it is down.
    pub suspect: Duration,
}

/// What a node believes of the others. Clones share it.
#[derive(Clone)]
pub struct Membership {
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    send: Send,
    detector: Mutex<Detector>,
    up: RwLock<BTreeMap<String, bool>>,
    knock_every: Duration,
}

impl Membership {
    /// Starts watching `members`. `life` is greater than in any former life of this node.
    #[must_use]
    pub fn start(world: World, me: &str, life: u64, members: &[String], pace: Pace, send: Send) -> Self {
        let name = |node: &str, life| Name { node: node.to_owned(), life, returns: 0 };
        let detector = Foca::new(
            name(me, life),
            config(pace, members.len()),
            world.rng.stream("membership"),
            PostcardCodec,
        );
        let up = members.iter().filter(|node| *node != me).map(|node| (node.clone(), true)).collect();
        let knock_every = pace.gossip * 4;
        let inner = Inner { world, send, detector: Mutex::new(detector), up: RwLock::new(up), knock_every };
        let membership = Self { inner: Arc::new(inner) };
        let others = members.iter().filter(|node| *node != me);
        let known: Vec<_> = others.map(|node| foca::Member::alive(name(node, 0))).collect();
        let names: Vec<Name> = known.iter().map(|member| member.id().clone()).collect();
        membership.act(|detector, runtime| {
            detector.apply_many(known.into_iter(), false, &mut *runtime)?;
            names.into_iter().try_for_each(|name| detector.announce(name, &mut *runtime))
        });
        membership
    }

    /// Takes a message from another node.
    pub fn hear(&self, message: &[u8]) {
        self.act(|detector, runtime| detector.handle_data(message, runtime));
    }

    /// Whether a node is believed to be up. This one is.
    #[must_use]
    pub fn is_up(&self, node: &str) -> bool {
        self.inner.up.read().get(node).copied().unwrap_or(true)
    }

    /// The other nodes, and whether each is believed to be up.
    #[must_use]
    pub fn view(&self) -> BTreeMap<String, bool> {
        self.inner.up.read().clone()
    }

    /// Knocks at nodes that are believed to be down, for as long as it is polled. The detector does so
    /// too, but only while it believes somebody to be up: nodes that all lost each other would stay
    /// alone for ever.
    pub(super) async fn knock(&self) {
        loop {
            self.inner.world.clock.sleep(self.inner.knock_every).await;
            let down = self.view().into_iter().filter(|(_, is_up)| !is_up);
            for (node, _) in down {
                // Under whatever name it goes now, it hears an announcement to its node.
                let name = Name { node, life: 0, returns: 0 };
                self.act(|detector, runtime| detector.announce(name, runtime));
            }
        }
    }

    /// Lets the detector do something, and then does what it says.
    fn act(
        &self,
        act: impl FnOnce(&mut Detector, &mut AccumulatingRuntime<Name>) -> Result<(), foca::Error>,
    ) {
        let mut runtime = AccumulatingRuntime::new();
        let mut detector = self.inner.detector.lock();
        if let Err(error) = act(&mut detector, &mut runtime) {
            tracing::debug!(%error, "the failure detector passed over something");
        }
        while let Some(news) = runtime.to_notify() {
            match news {
                OwnedNotification::MemberUp(name) => self.believe(name.node, true),
                OwnedNotification::MemberDown(name) => self.believe(name.node, false),
                _ => {}
            }
        }
        drop(detector);
        while let Some((name, message)) = runtime.to_send() {
            (self.inner.send)(name.node, message);
        }
        while let Some((after, timer)) = runtime.to_schedule() {
            let later = Arc::downgrade(&self.inner);
            let sleep = self.inner.world.clock.sleep(after);
            self.inner.world.spawn.task(Box::pin(async move {
                sleep.await;
                if let Some(inner) = later.upgrade() {
                    Membership { inner }.wake(timer);
                }
            }));
        }
    }

    /// A timer of the detector has expired.
    fn wake(&self, timer: Timer<Name>) {
        let act: Box<Act> = Box::new(|detector, runtime| detector.handle_timer(timer, runtime));
        self.act(act);
    }

    fn believe(&self, node: String, is_up: bool) {
        tracing::info!(node, is_up, "the view of the cluster changed");
        self.inner.up.write().insert(node, is_up);
    }
}

fn config(pace: Pace, members: usize) -> foca::Config {
    let all = NonZeroUsize::new(members).unwrap_or(NonZeroUsize::MIN);
    let periodic = |frequency, num_members| Some(PeriodicParams { frequency, num_members });
    foca::Config {
        probe_period: pace.gossip * 2,
        probe_rtt: pace.gossip,
        num_indirect_probes: NonZeroUsize::MIN.saturating_add(1),
        max_transmissions: NonZeroU8::MIN.saturating_add(9),
        suspect_to_down_after: pace.suspect,
        remove_down_after: None,
        max_packet_size: NonZeroUsize::MIN.saturating_add(1 << 15),
        notify_down_members: true,
        periodic_announce: periodic(pace.gossip * 20, NonZeroUsize::MIN),
        periodic_announce_to_down_members: periodic(pace.gossip * 2, all),
        periodic_gossip: periodic(pace.gossip, NonZeroUsize::MIN),
    }
}
