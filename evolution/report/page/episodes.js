"use strict";
// The episodes of the page: columns to filter by, and what was said, parsed block by block when it is looked at.
const Episodes = (() => {
  const KINDS = ["", "right_right", "right_wrong", "wrong_right", "wrong_wrong"];
  const all = { count: 0 };
  const names = { status: [], task: [], env: [], group: [], shard: [] };
  const place = { status: new Map(), task: new Map(), env: new Map(), group: new Map(), shard: new Map() };
  let texts = [],
    ways = [],
    compared = []; // by run, the environments of which before and after are compared task by task

  const intern = (kind, text) => {
    let at = place[kind].get(text);
    if (at === undefined) {
      at = names[kind].length;
      place[kind].set(text, at);
      names[kind].push(text);
    }
    return at;
  };

  // Reads the columns of all blocks; what was said stays unread.
  function load(runs) {
    for (const kind of Object.keys(names)) {
      names[kind].length = 0;
      place[kind].clear();
    }
    const blocks = [];
    ways = runs.map(run => run.get("arms"));
    compared = runs.map(run => new Set(run.get("transitions").map(t => t.env)));
    for (const run of runs)
      for (let b = 0; ; b++) {
        const block = run.get(`i${b}`);
        if (!block) break;
        blocks.push([run.number, b, block]);
      }
    const count = blocks.reduce((sum, [, , block]) => sum + block.unit.length, 0);
    Object.assign(all, {
      count,
      run: new Uint8Array(count),
      block: new Uint32Array(count),
      unit: new Uint32Array(count),
      at: new Uint16Array(count),
      step: new Float64Array(count),
      held: new Uint8Array(count),
      status: new Uint8Array(count),
      task: new Uint32Array(count),
      env: new Uint32Array(count),
      group: new Uint32Array(count),
      shard: new Uint32Array(count),
      attempt: new Uint32Array(count),
      reward: new Float64Array(count),
      tokens: new Float64Array(count),
      turns: new Uint32Array(count),
      learned: new Uint8Array(count),
      kind: new Uint8Array(count),
      other: new Int32Array(count).fill(-1),
    });
    let n = 0;
    for (const [run, number, block] of blocks) {
      let unit = -1,
        at = 0;
      for (let i = 0; i < block.unit.length; i++, n++) {
        at = block.unit[i] === unit ? at + 1 : 0;
        unit = block.unit[i];
        all.run[n] = run;
        all.block[n] = number;
        all.unit[n] = unit;
        all.at[n] = at;
        all.step[n] = block.step[i];
        all.held[n] = block.held_out[i];
        all.attempt[n] = block.attempt[i];
        all.reward[n] = block.reward[i];
        all.tokens[n] = block.tokens[i];
        all.turns[n] = block.turns[i];
        all.learned[n] = block.learned[i];
        for (const kind of ["status", "task", "env", "group", "shard"])
          all[kind][n] = intern(kind, block.texts[block[kind][i]]);
      }
    }
    pair();
    texts = new Array(count);
  }

  // How an episode was answered, where a run has several ways of it; nothing elsewhere.
  function way(i) {
    const { names: known, alone } = ways[all.run[i]],
      group = names.group[all.group[i]];
    return all.held[i] && known.length && [alone, ...known].includes(group) ? group : "";
  }
  const waysKnown = () => [...new Set(ways.flatMap(w => (w.found.length ? [w.alone, ...w.names] : [])))];

  // The two sides of a held-out task, and which of the four transitions it made: alone and by the way that the recipe is
  // about, where there are several. What was answered in another way is beside what was answered alone.
  function pair() {
    const seen = new Map(),
      right = names.status.indexOf("correct");
    const spoilt = new Set(["broken_task", "infrastructure"].map(s => names.status.indexOf(s)));
    for (let i = 0; i < all.count; i++) {
      if (!all.held[i]) continue;
      const how = way(i),
        own = how ? ways[all.run[i]] : null,
        group = own && (how === own.alone || how === own.names[0]) ? "alone" : how || all.group[i];
      const rest = `${all.task[i]} ${all.attempt[i]}`,
        key = `${all.run[i]} ${all.env[i]} ${group} ${rest}`,
        first = seen.get(key);
      if (own && group !== "alone") {
        all.other[i] = seen.get(`${all.run[i]} ${all.env[i]} alone ${rest}`) ?? -1;
        continue;
      }
      if (first === undefined) {
        seen.set(key, i);
        continue;
      }
      all.other[i] = first;
      all.other[first] = i;
      if (!compared[all.run[i]].has(names.env[all.env[i]])) continue;
      if (spoilt.has(all.status[i]) || spoilt.has(all.status[first])) continue;
      const [a, b] = all.step[first] <= all.step[i] ? [first, i] : [i, first];
      all.kind[a] = all.kind[b] = 1 + (all.status[a] === right ? 0 : 2) + (all.status[b] === right ? 0 : 1);
    }
  }

  const unit = i => P.data(`r${all.run[i]}-c${all.block[i]}`)[all.unit[i]];
  function said(i) {
    const [strings, pieces, contexts, episodes] = unit(i);
    const [row, detail, turns] = episodes[all.at[i]],
      text = n => (n < 0 ? null : strings[n]);
    return {
      row,
      detail,
      turns: turns.map(t => {
        const tokens = t[5].map((p, k) => ({
          text: pieces[p],
          logprob: t[6].length > k && t[6][k] !== null ? -t[6][k] / 100 : null,
        }));
        const spelled = tokens.map(token => token.text).join("");
        const reply = t[1] >= 0 ? strings[t[1]] : spelled;
        return {
          observation: text(t[0]) || "",
          reply,
          action: t[2] >= 0 ? strings[t[2]] : null,
          context: contexts[t[3]].map(p => pieces[p]),
          continues: !!t[4],
          tokens,
          reward: t[7],
          verdict: t[8] === -2 ? detail || null : text(t[8]),
          advantage: t[9],
          versions: t[10],
          finish: t[11],
        };
      }),
    };
  }

  function text(i) {
    if (texts[i] === undefined) {
      const one = said(i);
      texts[i] = [
        names.task[all.task[i]],
        one.detail,
        ...one.turns.flatMap(t => [t.observation, t.reply, t.action || ""]),
      ]
        .join("\n")
        .toLowerCase();
    }
    return texts[i];
  }

  // Numbers of the episodes that a filter lets through, in the order asked for.
  function filter(f) {
    const words = (f.text || "").toLowerCase().split(/\s+/).filter(Boolean),
      found = [];
    const task = (f.task || "").toLowerCase(),
      tasks = task ? names.task.map(name => name.toLowerCase().includes(task)) : null;
    const status = f.status ? names.status.indexOf(f.status) : -1,
      env = f.env ? names.env.indexOf(f.env) : -1,
      kind = KINDS.indexOf(f.transition || "");
    for (let i = 0; i < all.count; i++) {
      if (f.run !== "" && f.run !== undefined && all.run[i] !== +f.run) continue;
      if (f.split === "training" ? all.held[i] : f.split === "held-out" ? !all.held[i] : false) continue;
      if ((f.status && all.status[i] !== status) || (f.env && all.env[i] !== env)) continue;
      if (kind > 0 && all.kind[i] !== kind) continue;
      if (f.way && way(i) !== f.way) continue;
      if (f.learned && all.learned[i] !== +(f.learned === "yes")) continue;
      if (
        all.reward[i] < f.rewardLow ||
        all.reward[i] > f.rewardHigh ||
        all.step[i] < f.stepLow ||
        all.step[i] > f.stepHigh
      )
        continue;
      if (tasks && !tasks[all.task[i]]) continue;
      if (words.length) {
        const held = text(i);
        if (!words.every(word => held.includes(word))) continue;
      }
      found.push(i);
    }
    if (f.sort === "reward") found.sort((a, b) => all.reward[b] - all.reward[a] || a - b);
    if (f.sort === "low") found.sort((a, b) => all.reward[a] - all.reward[b] || a - b);
    if (f.sort === "long") found.sort((a, b) => all.tokens[b] - all.tokens[a] || a - b);
    return found;
  }

  // Other episodes of the same task: the rest of its group, then those of other steps and runs.
  function siblings(i) {
    const found = [];
    for (let j = 0; j < all.count; j++)
      if (j !== i && all.task[j] === all.task[i] && all.env[j] === all.env[i]) found.push(j);
    return found;
  }
  // What names an episode for good, whatever else the page holds.
  const key = i => `${all.run[i]}/${all.held[i]}/${names.shard[all.shard[i]]}/${unit(i)[3][all.at[i]][0]}`;

  return { all, names, load, way, waysKnown, said, text, filter, siblings, key, KINDS };
})();
