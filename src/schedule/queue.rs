//! The queued jobs: lanes (one group's jobs of one stream) in each stream's list of ready lanes, and
//! the round-robin among streams. It knows nothing of time: the scheduler tells it which groups may
//! start.

use super::slab::{Id, Linked, Links, List, Slab};
use super::{Gate, StreamId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Node<J> {
    order: u64,
    job: J,
    links: Links,
}

/// The queued jobs of one group and one stream, lowest order first; dropped when empty.
#[derive(Debug)]
struct Lane {
    group: Id,
    stream: Id,
    jobs: List,
    /// Its place among the ready or the resting lanes of its stream.
    links: Links,
    /// The group's next lane, usually `None`: a group rarely serves two streams at once.
    sibling: Option<Id>,
    ready: bool,
}

#[derive(Debug)]
struct Stream {
    key: StreamId,
    /// The lanes whose group may start a job now, longest-ready first.
    ready: List,
    /// The other lanes, in any order.
    resting: List,
    /// When it was last served, by the queue's own count.
    served: u64,
    /// The ready lanes by the order of their first job. The index exists from the first [`Gate::Only`]
    /// on, which must not search a million lanes; streams that never use it do not pay for it.
    fronts: Option<BTreeSet<(u64, Id)>>,
}

impl<J> Linked for Node<J> {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Linked for Lane {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// All queued jobs. A group's lanes form a chain, and the group holds its head.
#[derive(Debug)]
pub(super) struct Queue<J> {
    nodes: Slab<Node<J>>,
    lanes: Slab<Lane>,
    /// The streams that have jobs queued.
    streams: Slab<Stream>,
    /// It is a map, not a vector, because a caller may number its streams upwards for ever.
    keys: BTreeMap<StreamId, Id>,
    /// The streams that have a ready lane, least recently served first.
    turns: BTreeSet<(u64, Id)>,
    /// The number of services and arrivals of streams.
    count: u64,
}

impl<J> Queue<J> {
    pub(super) fn new() -> Self {
        Self {
            nodes: Slab::new(),
            lanes: Slab::new(),
            streams: Slab::new(),
            keys: BTreeMap::new(),
            turns: BTreeSet::new(),
            count: 0,
        }
    }

    /// The number of queued jobs.
    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it holds nothing at all: a check against leaks.
    #[cfg(any(test, fuzzing))]
    pub(super) fn is_bare(&self) -> bool {
        self.nodes.len() + self.lanes.len() + self.streams.len() == 0
            && self.keys.is_empty()
            && self.turns.is_empty()
    }

    /// Queues a job in its place by order, behind its equals. A new lane is not ready.
    pub(super) fn insert(
        &mut self,
        (group, chain): (Id, &mut Option<Id>),
        key: StreamId,
        order: u64,
        job: J,
    ) {
        let lane = self.lane(group, chain, key);
        let jobs = self.lanes[lane].jobs;
        let before = self.place(jobs, order);
        let leads = !jobs.is_empty() && before == jobs.head;
        if leads {
            self.forget_front(lane);
        }
        let links = Links::default();
        let node = self.nodes.insert(Node { order, job, links });
        self.lanes[lane].jobs.insert(&mut self.nodes, node, before);
        if leads {
            self.note_front(lane);
        }
    }

    /// The lane of that group and stream, made if necessary.
    fn lane(&mut self, group: Id, chain: &mut Option<Id>, key: StreamId) -> Id {
        let mut next = *chain;
        while let Some(id) = next {
            let lane = &self.lanes[id];
            if self.streams[lane.stream].key == key {
                return id;
            }
            next = lane.sibling;
        }
        let stream = self.stream(key);
        let lane = self.lanes.insert(Lane {
            group,
            stream,
            jobs: List::default(),
            links: Links::default(),
            sibling: chain.take(),
            ready: false,
        });
        *chain = Some(lane);
        let resting = &mut self.streams[stream].resting;
        resting.insert(&mut self.lanes, lane, None);
        lane
    }

    /// The stream of that key; a new one is served after those that wait.
    fn stream(&mut self, key: StreamId) -> Id {
        let (streams, count) = (&mut self.streams, &mut self.count);
        *self.keys.entry(key).or_insert_with(|| {
            *count += 1;
            streams.insert(Stream {
                key,
                ready: List::default(),
                resting: List::default(),
                served: *count,
                fronts: None,
            })
        })
    }

    /// The job before which one of that order belongs; `None` is the back. The search runs from both
    /// ends at once, because threads that submit together race near the back, and a retry belongs near
    /// the front.
    fn place(&self, jobs: List, order: u64) -> Option<Id> {
        let (mut front, mut back) = (jobs.head, jobs.tail);
        while let (Some(first), Some(last)) = (front, back) {
            let (first, last) = (&self.nodes[first], &self.nodes[last]);
            if last.order <= order {
                return last.links.next;
            }
            if first.order > order {
                return front;
            }
            (front, back) = (first.links.next, last.links.prev);
        }
        None
    }

    /// Makes all lanes of a group ready, or none. Lanes that already are keep their place.
    pub(super) fn set_ready(&mut self, chain: Option<Id>, ready: bool) {
        let mut next = chain;
        while let Some(id) = next {
            let lane = &self.lanes[id];
            next = lane.sibling;
            match (lane.ready, ready) {
                (false, true) => self.wake(id),
                (true, false) => self.rest(id),
                _ => {}
            }
        }
    }

    fn wake(&mut self, id: Id) {
        let lane = &mut self.lanes[id];
        lane.ready = true;
        let stream = &mut self.streams[lane.stream];
        if stream.ready.is_empty() {
            self.turns.insert((stream.served, lane.stream));
        }
        stream.resting.remove(&mut self.lanes, id);
        stream.ready.insert(&mut self.lanes, id, None);
        self.note_front(id);
    }

    fn rest(&mut self, id: Id) {
        self.forget_front(id);
        let lane = &mut self.lanes[id];
        lane.ready = false;
        let of = lane.stream;
        let stream = &mut self.streams[of];
        stream.ready.remove(&mut self.lanes, id);
        stream.resting.insert(&mut self.lanes, id, None);
        if stream.ready.is_empty() {
            self.turns.remove(&(stream.served, of));
        }
    }

    /// Enters the first job of a lane into its stream's index, if the lane is ready.
    fn note_front(&mut self, id: Id) {
        let lane = &self.lanes[id];
        if let (true, Some(head)) = (lane.ready, lane.jobs.head)
            && let Some(fronts) = &mut self.streams[lane.stream].fronts
        {
            fronts.insert((self.nodes[head].order, id));
        }
    }

    /// Undoes [`Self::note_front`], before the lane or its first job changes.
    fn forget_front(&mut self, id: Id) {
        let lane = &self.lanes[id];
        if let (true, Some(head)) = (lane.ready, lane.jobs.head)
            && let Some(fronts) = &mut self.streams[lane.stream].fronts
        {
            fronts.remove(&(self.nodes[head].order, id));
        }
    }

    /// The lane to start a job from, and its group: the longest-ready one of the least recently served
    /// stream, or the one that its gate asks for.
    pub(super) fn choose(&mut self, mut gate: impl FnMut(StreamId) -> Gate) -> Option<(Id, Id)> {
        for &(_, id) in &self.turns {
            let stream = &mut self.streams[id];
            let lane = match gate(stream.key) {
                Gate::Closed => None,
                Gate::Open => stream.ready.head,
                Gate::Only(order) => {
                    let ready = stream.ready.head;
                    let fronts = stream.fronts.get_or_insert_with(|| {
                        let mut next = ready;
                        std::iter::from_fn(|| {
                            let id = next?;
                            let lane = &self.lanes[id];
                            next = lane.links.next;
                            Some((self.nodes[lane.jobs.head?].order, id))
                        })
                        .collect()
                    });
                    let front = fronts.range((order, Id::MIN)..).next();
                    front.filter(|front| front.0 == order).map(|front| front.1)
                }
            };
            if let Some(lane) = lane {
                return Some((lane, self.lanes[lane].group));
            }
        }
        None
    }

    /// Removes the first job of a ready lane. The lane goes behind the others of its stream, and the
    /// stream behind the others.
    pub(super) fn serve(&mut self, id: Id, chain: &mut Option<Id>) -> (StreamId, J) {
        self.rest(id);
        let (_, job) = self.pop(id).expect("a lane has a job");
        let lane = &self.lanes[id];
        let of = lane.stream;
        self.count += 1;
        let stream = &mut self.streams[of];
        if self.turns.remove(&(stream.served, of)) {
            self.turns.insert((self.count, of));
        }
        stream.served = self.count;
        let key = stream.key;
        if lane.jobs.is_empty() {
            self.drop_lane(id, chain);
        }
        (key, job)
    }

    /// Any lane of a stream, with its group.
    pub(super) fn any_lane(&self, key: StreamId) -> Option<(Id, Id)> {
        let stream = &self.streams[*self.keys.get(&key)?];
        let lane = stream.ready.head.or(stream.resting.head)?;
        Some((lane, self.lanes[lane].group))
    }

    /// Removes all jobs of a lane, and the lane.
    pub(super) fn clear(&mut self, id: Id, chain: &mut Option<Id>, jobs: &mut Vec<(u64, J)>) {
        if self.lanes[id].ready {
            self.rest(id);
        }
        while let Some(job) = self.pop(id) {
            jobs.push(job);
        }
        self.drop_lane(id, chain);
    }

    /// Takes the first job of a lane that is not ready.
    fn pop(&mut self, id: Id) -> Option<(u64, J)> {
        let jobs = &mut self.lanes[id].jobs;
        let head = jobs.head?;
        jobs.remove(&mut self.nodes, head);
        let node = self.nodes.remove(head);
        Some((node.order, node.job))
    }

    /// Drops an empty lane that is not ready, and its stream with its last lane.
    fn drop_lane(&mut self, id: Id, chain: &mut Option<Id>) {
        let of = self.lanes[id].stream;
        let stream = &mut self.streams[of];
        stream.resting.remove(&mut self.lanes, id);
        if stream.ready.is_empty() && stream.resting.is_empty() {
            self.keys.remove(&stream.key);
            self.streams.remove(of);
        }
        let lane = self.lanes.remove(id);
        let mut link = chain;
        while let Some(other) = *link
            && other != id
        {
            link = &mut self.lanes[other].sibling;
        }
        *link = lane.sibling;
    }
}
