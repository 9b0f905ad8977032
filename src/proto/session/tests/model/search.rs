//! The search: breadth first over all states, so that what is found first is found by a shortest way.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use super::client::Ready;
use super::network::{Get, Stage};
use super::server::End;
use super::world::World;
use super::{Action, Violation};

/// Waiting longer than this leads nowhere: every deadline, one after the other, is shorter.
const PATIENCE: Duration = Duration::from_secs(300);

/// How much was explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explored {
    pub(super) states: usize,
    /// The length of the longest of the shortest ways.
    pub(super) depth: usize,
}

/// What was found, and how to get there.
pub(super) struct Found {
    pub(super) violation: Violation,
    pub(super) way: Vec<Action>,
    pub(super) state: String,
}

/// A state that was reached: from which, by what.
struct Step {
    from: usize,
    action: Action,
    depth: usize,
}

pub(super) fn explore(start: World) -> Result<Explored, Found> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut seen = HashSet::new();
    let mut steps: Vec<Step> = Vec::new();
    let mut queue = VecDeque::new();
    let mut depth = 0;
    seen.insert(hasher.hash_one(&start));
    queue.push_back((start, usize::MAX));
    while let Some((world, at)) = queue.pop_front() {
        let here = steps.get(at).map_or(0, |step| step.depth);
        let actions = possible(&world).map_err(|violation| found(violation, &steps, at, None, &world))?;
        for action in actions {
            let mut next = world.clone();
            let spent = spend(&mut next, action);
            let result = spent.and_then(|()| next.step(action));
            result.map_err(|violation| found(violation, &steps, at, Some(action), &next))?;
            if seen.insert(hasher.hash_one(&next)) {
                depth = here + 1;
                queue.push_back((next, steps.len()));
                steps.push(Step {
                    from: at,
                    action,
                    depth,
                });
            }
        }
    }
    let states = seen.len();
    Ok(Explored { states, depth })
}

fn found(violation: Violation, steps: &[Step], at: usize, last: Option<Action>, world: &World) -> Found {
    let mut way: Vec<Action> = last.into_iter().collect();
    let mut at = at;
    while let Some(step) = steps.get(at) {
        way.push(step.action);
        at = step.from;
    }
    way.reverse();
    Found {
        violation,
        way,
        state: format!("{world:#?}"),
    }
}

/// All that may happen next.
fn possible(world: &World) -> Result<Vec<Action>, Violation> {
    let mut actions = moves(world);
    let budget = &world.budget;
    let quiet = actions.is_empty();
    let settled = world.is_settled();
    let over = world.server.closed.is_some() && world.client.ready == Ready::Closed;
    if quiet && !settled {
        actions.push(Action::Time);
    } else if !over && budget.early_times > 0 {
        actions.push(Action::TimeEarly);
    }
    if world.server.is_open() {
        push(&mut actions, budget.server_sends, Action::ServerSends);
        push(&mut actions, budget.server_closes, Action::ServerCloses);
    }
    if world.client.ready == Ready::Open {
        push(&mut actions, budget.client_sends, Action::ClientSends);
        push(&mut actions, budget.client_closes, Action::ClientCloses);
    }
    if budget.request_breaks > 0 {
        breaks(world, &mut actions);
    }
    if let Some(websocket) = &world.websocket
        && (websocket.client_open || websocket.server != End::Closed)
    {
        push(&mut actions, budget.websocket_breaks, Action::WebSocketBreaks);
        if websocket.is_known() {
            push(&mut actions, budget.websocket_stalls, Action::WebSocketStalls);
        }
    }
    if quiet && settled && over && !requests_are_done(world) {
        return Err("both sides ended and a request was never answered");
    }
    Ok(actions)
}

fn requests_are_done(world: &World) -> bool {
    world.get == Get::None && world.posts.is_empty()
}

fn push(actions: &mut Vec<Action>, budget: u8, action: Action) {
    if budget > 0 {
        actions.push(action);
    }
}

/// What goes on by itself.
fn moves(world: &World) -> Vec<Action> {
    let mut actions = Vec::new();
    if !matches!(world.get, Get::None | Get::Parked(_)) {
        actions.push(Action::GetMoves);
    }
    for (index, post) in world.posts.iter().enumerate() {
        if post.stage != Stage::Complete {
            actions.push(Action::PostMoves(index));
        }
    }
    if world.server.has_frames() {
        actions.push(Action::Pump);
    }
    let Some(websocket) = &world.websocket else {
        return actions;
    };
    if websocket.connecting {
        actions.push(Action::WebSocketOpens);
        return actions;
    }
    let reads = websocket.server != End::Session || world.server.is_reading();
    if reads && !websocket.up.is_empty() {
        actions.push(Action::WebSocketUp);
    }
    if !websocket.down.is_empty() {
        actions.push(Action::WebSocketDown);
    }
    actions
}

fn breaks(world: &World, actions: &mut Vec<Action>) {
    match world.get {
        Get::Parked(_) => {
            actions.push(Action::GetBreaks { server_first: true });
            actions.push(Action::GetBreaks { server_first: false });
        }
        Get::Sent(_) | Get::Answered(_) => actions.push(Action::GetBreaks { server_first: false }),
        _ => {}
    }
    for (index, post) in world.posts.iter().enumerate() {
        let server_first = false;
        match post.stage {
            Stage::Announced | Stage::Begun => {
                actions.push(Action::PostBreaks { index, server_first });
                let server_first = true;
                actions.push(Action::PostBreaks { index, server_first });
            }
            Stage::Sent | Stage::Answered => actions.push(Action::PostBreaks { index, server_first }),
            _ => {}
        }
    }
}

/// Pays for an action.
fn spend(world: &mut World, action: Action) -> Result<(), Violation> {
    let budget = &mut world.budget;
    match action {
        Action::ServerSends => budget.server_sends -= 1,
        Action::ClientSends => budget.client_sends -= 1,
        Action::ServerCloses => budget.server_closes -= 1,
        Action::ClientCloses => budget.client_closes -= 1,
        Action::GetBreaks { .. } | Action::PostBreaks { .. } => budget.request_breaks -= 1,
        Action::WebSocketBreaks => budget.websocket_breaks -= 1,
        Action::WebSocketStalls => budget.websocket_stalls -= 1,
        Action::TimeEarly => budget.early_times -= 1,
        _ => {}
    }
    match world.now > world.start + PATIENCE {
        true => Err("waiting leads nowhere"),
        false => Ok(()),
    }
}
