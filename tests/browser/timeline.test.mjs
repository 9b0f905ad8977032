// The game page's interpolation, without a browser: snapshots that come early and late, drawn smoothly.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";

// As a data URL, since no package.json tells Node that the pages' scripts are modules.
const source = await readFile(new URL("../../examples/game/page/timeline.js", import.meta.url), "utf8");
const { Timeline } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const TICK = 1000 / 30;

/** Somebody who moves by ten units a tick, and a pearl that is eaten at tick 20. */
function snapshot(tick) {
  const blob = { id: 1, x: tick * 10, y: 0, radius: 20, dashing: false, shielded: false };
  return { tick, blobs: new Map([[1, blob]]), pearls: [{ x: tick < 20 ? 5 : 9, y: 5 }] };
}

/** Plays 100 ticks whose snapshots come `late(tick)` ms late, in order, at 60 frames a second. */
function play(late) {
  const timeline = new Timeline(30);
  const arrivals = [];
  for (let tick = 0; tick < 100; tick++) arrivals.push({ tick, at: Math.max(tick * TICK + late(tick), arrivals.at(-1)?.at ?? 0) });
  const frames = [];
  for (let now = 0; now < 100 * TICK; now += 1000 / 60) {
    while (arrivals[0]?.at <= now) {
      const { tick, at } = arrivals.shift();
      timeline.push(snapshot(tick), at);
    }
    const scene = timeline.at(now);
    if (scene) frames.push({ now, x: scene.blobs.get(1).x, eaten: scene.eaten.length, behind: timeline.behind });
  }
  return frames;
}

/** The steps from frame to frame, once it is under way. */
function steps(frames) {
  return frames.slice(30).map((frame, index) => frame.x - frames[index + 29].x);
}

describe("the timeline of the game", () => {
  it("moves evenly, a little behind, when snapshots come in time", () => {
    const frames = play(() => 0);
    for (const step of steps(frames)) assert.ok(Math.abs(step - 5) < 0.2, `a step of ${step}`);
    assert.ok(frames.at(-1).behind < 60, `${frames.at(-1).behind} ms behind`);
  });

  it("moves evenly when they come irregularly, and is farther behind", () => {
    const frames = play((tick) => (tick * 37) % 90);
    for (const step of steps(frames)) assert.ok(step > 3 && step < 7, `a step of ${step}`);
    assert.ok(frames.at(-1).behind > 80);
  });

  it("goes on for a moment and then stands still when they stay out, and never back", () => {
    const frames = play((tick) => (tick >= 50 && tick < 75 ? (75 - tick) * TICK : 0));
    assert.ok(steps(frames).every((step) => step >= 0));
    assert.ok(steps(frames).some((step) => step === 0));
  });

  it("tells once that a pearl was eaten", () => {
    for (const late of [() => 0, (tick) => (tick * 37) % 90]) {
      assert.equal(play(late).reduce((sum, frame) => sum + frame.eaten, 0), 1);
    }
  });
});
