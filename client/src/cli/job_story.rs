//! What became of a job, from its events: a sentence for each, and one for what happened to several of its tasks alike.

use offpeak::v1::{
    Event, EvictionReason, JobSpec, JobUpdated, NoticeGiven, TaskEnd, TasksPlaced, event::Kind,
};
use prost_types::Timestamp;

use super::{
    eta, event_text, human, job_show,
    table::{Tone, paint},
};

/// Sentences at the beginning and at the end that are printed of a long story.
const FIRST: usize = 5;
const LAST: usize = 20;

/// Nodes that are named in a sentence.
const NODES_SHOWN: usize = 3;

/// What happened to a job so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    sentences: Vec<Sentence>,
}

#[derive(Debug)]
struct Sentence {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    fact: Fact,
    /// Whom it happened to, if not to the job.
    tasks: u64,
    /// The task, of one only.
    task: u32,
    nodes: Vec<String>,
}

/// What happened. Tasks that share the words share the sentence.
#[derive(Debug, PartialEq, Eq)]
enum Fact {
    /// To the job.
    Job(String, Tone),
    /// To tasks: what, and what more is to be said after where.
    Tasks(&'static str, String, Tone),
}

impl Story {
    /// Goes on with the next event of the job.
    pub(crate) fn tell(&mut self, event: &Event) {
        let Some(next) = sentence(event) else { return };
        match self.sentences.last_mut() {
            Some(last) if next.tasks > 0 && last.fact == next.fact => {
                last.last = next.last;
                last.tasks += next.tasks;
                last.nodes.extend(next.nodes);
            }
            _ => self.sentences.push(next),
        }
    }

    /// A line a sentence; of a long story the beginning and the end. `job` is what other commands call it.
    pub(crate) fn lines(&self, job: &str, color: bool) -> String {
        let all = &self.sentences;
        let skipped = all.len().saturating_sub(FIRST + LAST);
        let mut text = String::new();
        for (at, sentence) in all.iter().enumerate() {
            if skipped > 1 && at == FIRST {
                let left_out = human::count(skipped as u64);
                text +=
                    &format!("  ... {left_out} more: `offpeak events --job {job}` prints all\n");
            }
            if skipped <= 1 || at < FIRST || at >= FIRST + skipped {
                text += &sentence.line(color);
            }
        }
        text
    }
}

impl Sentence {
    fn line(&self, color: bool) -> String {
        let (words, tone) = match &self.fact {
            Fact::Job(words, tone) => (words.clone(), *tone),
            Fact::Tasks(what, more, tone) => {
                let who = match self.tasks {
                    1 => format!("task {}", self.task),
                    tasks => human::counted(tasks, "task"),
                };
                (format!("{who} {what}{}{more}", self.places()), *tone)
            }
        };
        let until = match (&self.first, &self.last) {
            (first, Some(last)) if first.is_some_and(|first| first.seconds < last.seconds) => {
                format!(", the last at {}", human::moment(Some(last)))
            }
            _ => String::new(),
        };
        let time = paint(&human::moment(self.first.as_ref()), Tone::Faint, color);
        format!("  {time}  {}{until}\n", paint(&words, tone, color))
    }

    /// The nodes, each once.
    fn places(&self) -> String {
        let mut nodes: Vec<&str> = Vec::new();
        for node in self.nodes.iter().filter(|node| !node.is_empty()) {
            if !nodes.contains(&node.as_str()) {
                nodes.push(node);
            }
            if nodes.len() > NODES_SHOWN {
                return format!(" on {} and others", nodes[..NODES_SHOWN].join(", "));
            }
        }
        if nodes.is_empty() { String::new() } else { format!(" on {}", nodes.join(", ")) }
    }
}

/// Nothing where an event says nothing of what becomes of the job.
fn sentence(event: &Event) -> Option<Sentence> {
    let of_job = |words: String, tone| (Fact::Job(words, tone), 0, 0, Vec::new());
    let of_task = |what, more: String, tone, task: u32, node: &String| {
        (Fact::Tasks(what, more, tone), 1, task, vec![node.clone()])
    };
    let (fact, tasks, task, nodes) = match event.kind.as_ref()? {
        Kind::JobSubmitted(event) => {
            let spec = event.job.clone().unwrap_or_default().spec.unwrap_or_default();
            of_job(submitted(&spec), Tone::Plain)
        }
        Kind::JobUpdated(event) => of_job(updated(event), Tone::Plain),
        Kind::JobQuoted(event) => {
            let quote = event.quote.unwrap_or_default();
            of_job(
                format!("told when it starts: {}", eta::promise(&quote, human::moment)),
                Tone::Plain,
            )
        }
        Kind::StartPlanned(event) => {
            let planned = event.planned.clone().unwrap_or_default();
            of_job(
                format!("start planned: {}", job_show::planned(&planned, human::moment)),
                Tone::Plain,
            )
        }
        Kind::StartUnplanned(_) => {
            of_job("its start is not planned any more".to_owned(), Tone::Plain)
        }
        Kind::JobEnded(event) => {
            let state = job_show::state_word(event.state());
            of_job(format!("the job ended: {state}"), Tone::Plain)
        }
        Kind::TasksPlaced(event) => placed(event),
        Kind::TaskStarted(event) => {
            of_task("began to run", String::new(), Tone::Good, event.task, &event.node)
        }
        Kind::TaskEnded(event) => {
            let (more, tone) = ended(event.end(), &event.message);
            let count = u64::from(event.count.max(1));
            (Fact::Tasks("ended", more, tone), count, event.task, vec![event.node.clone()])
        }
        Kind::TaskDelayed(event) => {
            let (more, tone) = ended(event.end(), &event.message);
            let again = event.retry_time.as_ref().map(|time| human::moment(Some(time)));
            let again = again.map(|time| format!(", tried again at {time}")).unwrap_or_default();
            of_task("ended", more + &again, tone, event.task, &event.node)
        }
        Kind::TasksDelayed(event) => {
            let waits = Fact::Tasks("waiting for other jobs", String::new(), Tone::Plain);
            (waits, u64::from(event.count.max(1)), event.task, Vec::new())
        }
        Kind::TasksResumed(event) => {
            let waits = Fact::Tasks("waiting for room", String::new(), Tone::Plain);
            (waits, u64::from(event.count.max(1)), event.task, Vec::new())
        }
        Kind::AdvisoryGiven(event) => {
            let by = human::moment(event.expected_by.as_ref());
            let more = format!(": the owner may want its room by {by}");
            of_task("may have to leave", more, Tone::Warning, event.task, &event.node)
        }
        Kind::NoticeGiven(event) => {
            of_task("got notice", noticed(event), Tone::Warning, event.task, &event.node)
        }
        Kind::NoticeWithdrawn(event) => {
            of_task("may stay after all", String::new(), Tone::Good, event.task, &event.node)
        }
        Kind::TaskEvicted(event) => {
            let more = match event.moved_to.as_str() {
                "" if event.released => ", released before its notice ended".to_owned(),
                "" => format!(": {}", because(event.reason())),
                node => format!(", moved to {node} before its notice ended"),
            };
            of_task("evicted", more, Tone::Bad, event.task, &event.node)
        }
        _ => return None,
    };
    Some(Sentence { first: event.time, last: event.time, fact, tasks, task, nodes })
}

fn submitted(spec: &JobSpec) -> String {
    let tasks = human::counted(u64::from(spec.count.max(1)), "task");
    let gang = if spec.gang { ", all or none" } else { "" };
    format!("submitted: {tasks} of {}{gang}", human::resources(spec.request.as_ref()))
}

fn updated(event: &JobUpdated) -> String {
    let tasks = human::counted(u64::from(event.count), "task");
    match &event.spec {
        Some(spec) => format!("changed: {tasks}, {}", event_text::changed(spec)),
        None => format!("changed: {tasks}"),
    }
}

fn placed(event: &TasksPlaced) -> (Fact, u64, u32, Vec<String>) {
    let tasks = event.placements.iter().map(|placement| u64::from(placement.count)).sum();
    let task = event.placements.first().map_or(0, |placement| placement.task);
    let nodes = event.placements.iter().map(|placement| placement.node.clone()).collect();
    let why = event_text::reasons(&event.placements);
    (Fact::Tasks("placed", why, Tone::Good), tasks, task, nodes)
}

fn ended(end: TaskEnd, message: &str) -> (String, Tone) {
    let word = human::enum_word(end.as_str_name(), "TASK_END_");
    let tone = match end {
        TaskEnd::Succeeded => Tone::Good,
        TaskEnd::Cancelled => Tone::Plain,
        _ => Tone::Bad,
    };
    match message {
        "" => (format!(": {word}"), tone),
        message => (format!(": {word}, {}", message.escape_debug()), tone),
    }
}

fn noticed(event: &NoticeGiven) -> String {
    let notice = event.notice.clone().unwrap_or_default();
    let until = human::moment(notice.deadline.as_ref());
    let because = because(notice.reason());
    if notice.preempting_job.is_empty() {
        return format!(" until {until}: {because}");
    }
    let (tenant, job) = (&notice.preempting_tenant, &notice.preempting_job);
    let right = job_show::right_words(notice.preemption_right());
    format!(" until {until}: {because}, for {tenant}/{job}, {right}")
}

/// Why a task has to go.
fn because(reason: EvictionReason) -> &'static str {
    match reason {
        EvictionReason::OwnerReturned => "the owner came back",
        EvictionReason::OwnerExpected => "the owner is expected back",
        EvictionReason::Preempted => "preempted",
        EvictionReason::NodeDrained => "the node is drained",
        EvictionReason::NodeLost => "the node fell silent",
        EvictionReason::NodeRemoved => "the node was removed",
        EvictionReason::NodeChanged => "the node has less than before",
        EvictionReason::OverBudget => "the tenant's budget is used up",
        EvictionReason::Cancelled => "the job was cancelled",
        EvictionReason::Unspecified => "for no reason that is known here",
    }
}

#[cfg(test)]
mod tests {
    use offpeak::v1::{Event, Placement, TaskEnd, TaskEnded, TasksPlaced, event::Kind};
    use prost_types::Timestamp;

    use super::{FIRST, LAST, Story};

    fn at(seconds: i64, kind: Kind) -> Event {
        let time = Some(Timestamp { seconds, nanos: 0 });
        Event { revision: 1, time, kind: Some(kind) }
    }

    fn placed(seconds: i64, task: u32, count: u32, node: &str) -> Event {
        let placement = Placement { task, count, node: node.into(), ..Placement::default() };
        let placements = vec![placement];
        at(seconds, Kind::TasksPlaced(TasksPlaced { placements, ..TasksPlaced::default() }))
    }

    fn succeeded(seconds: i64, task: u32) -> Event {
        let end = TaskEnd::Succeeded.into();
        let ended = TaskEnded { task, node: "a".into(), end, ..TaskEnded::default() };
        at(seconds, Kind::TaskEnded(ended))
    }

    fn told(events: &[Event]) -> Vec<String> {
        let mut story = Story::default();
        events.iter().for_each(|event| story.tell(event));
        story.lines("acme/train", false).lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_happens_to_several_tasks_alike_is_one_sentence() {
        let events = [
            placed(0, 0, 2, "a"),
            placed(1, 2, 1, "b"),
            placed(1, 3, 1, "a"),
            succeeded(2, 3),
            placed(3, 4, 1, "c"),
        ];
        assert_eq!(
            told(&events),
            [
                "  1970-01-01T00:00:00Z  4 tasks placed on a, b, the last at 1970-01-01T00:00:01Z",
                "  1970-01-01T00:00:02Z  task 3 ended on a: succeeded",
                "  1970-01-01T00:00:03Z  task 4 placed on c",
            ]
        );
        let spread: Vec<Event> =
            ["a", "b", "c", "d"].iter().map(|node| placed(0, 0, 1, node)).collect();
        assert_eq!(told(&spread), ["  1970-01-01T00:00:00Z  4 tasks placed on a, b, c and others"]);
    }

    #[test]
    fn the_middle_of_a_long_story_is_left_out() {
        let turns = |count: i64| -> Vec<Event> {
            (0..count).flat_map(|at| [placed(at, 0, 1, "a"), succeeded(at, 0)]).collect()
        };
        let whole = told(&turns(13));
        assert_eq!(whole.len(), FIRST + LAST + 1, "to leave out one line would save nothing");
        let cut = told(&turns(14));
        assert_eq!(cut.len(), FIRST + LAST + 1);
        assert_eq!(cut[FIRST], "  ... 3 more: `offpeak events --job acme/train` prints all");
        assert!(cut[FIRST + LAST].ends_with("task 0 ended on a: succeeded"), "{cut:?}");
    }
}
