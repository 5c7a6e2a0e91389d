// Handing in: what is kept goes to the gateway in order, and leaves the phone only when the gateway has it on disk.
import * as store from "./phone_store.js";

const MOST = 40;
const MOST_BYTES = 40000;
const MOST_ADDRESS = 4096; // longer than any the gateway reads, and it says so
const ANSWER_WITHIN_MS = 20000;
const HURRY_WITHIN_MS = 8000;
const SLOW_MS = 2000;
const REPORT_EVERY_MS = 4 * 60 * 1000;
const AGAIN_MS = [2000, 5000, 10000, 20000, 30000];

export class Sync extends EventTarget {
  constructor() {
    super();
    this.current = null;
    this.former = [];
    this.state = navigator.onLine ? "trying" : "offline";
    this.since = Date.now();
    this.received = null;
    this.offset = 0;
    this.battery = null;
    this.failed = 0;
    this.timer = null;
    this.reported = 0;
    this.running = null;
  }

  async start() {
    this.current = (await store.read("current")) ?? null;
    this.received = (await store.read("received")) ?? null;
    this.offset = (await store.read("offset")) ?? 0;
    this.since = (await store.read("silent-since")) ?? Date.now();
    addEventListener("online", () => this.soon(0));
    addEventListener("offline", () => this.become("offline"));
    document.addEventListener("visibilitychange", () => this.soon(0));
    try {
      this.battery = (await navigator.getBattery?.()) ?? null;
    } catch {
      this.battery = null;
    }
  }

  become(state) {
    if (state === "received") void store.write("silent-since", undefined);
    else if (this.state === "received" || this.state === "trying") {
      this.since = this.received ?? Date.now();
      void store.write("silent-since", this.since);
    }
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }

  // Ask whose phone this is; needed once a log-in, and of several windows by one at a time. Gives false where it cannot be known now.
  begin() {
    return navigator.locks ? navigator.locks.request("lamplighter-phone-begin", () => this.ask()) : this.ask();
  }

  async ask() {
    try {
      const answer = await post("/api/v1/phone/begin", {}, ANSWER_WITHIN_MS);
      if (!answer.ok) {
        await this.refused(answer);
        return false;
      }
      const said = await answer.json();
      this.former = said.former;
      this.current = { device: said.device, person: said.person, name: said.name };
      await store.write("current", this.current);
      this.dispatchEvent(new Event("change"));
      return true;
    } catch {
      this.become("offline");
      return false;
    }
  }

  async refused(answer) {
    if (answer.status === 401) this.become("login");
    else if (answer.status === 403) this.become("role");
    else {
      const said = await answer.json().catch(() => ({}));
      this.become(said.type?.endsWith("nobody") ? "nobody" : "trouble");
    }
  }

  soon(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.run(), delay);
  }

  // Hand in everything; one page of the browser at a time.
  run() {
    this.running ??= this.exclusive().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async exclusive() {
    let good = false;
    try {
      const hand = () => this.everything();
      good = navigator.locks ? await navigator.locks.request("lamplighter-phone", hand) : await hand();
    } catch {
      good = false;
    }
    this.failed = good ? 0 : Math.min(this.failed + 1, AGAIN_MS.length);
    this.soon(good ? REPORT_EVERY_MS : AGAIN_MS[this.failed - 1]);
  }

  async everything() {
    if (!this.current && !(await this.begin())) return false;
    let whose;
    do {
      whose = this.current.device;
      const { kept, photos } = await store.everything();
      const others = [...kept.map((record) => record.device), ...photos.map(([device]) => device)];
      for (const device of new Set([whose, ...others])) {
        if (!(await this.handIn(device)) && device === this.current.device) return false;
      }
    } while (whose !== this.current.device); // somebody else's phone since: his is to be heard of as well
    return true;
  }

  async handIn(device) {
    let slow = 0;
    for (const { seq } of (await store.everything()).kept.filter((record) => record.device === device && record.kind === "panic")) {
      const found = await store.batch(device, 1, seq);
      if (found.records.length && (await this.send(device, found, HURRY_WITHIN_MS)) === null) return false;
    }
    for (;;) {
      const found = fitting(await store.batch(device, MOST));
      const answer = await this.send(device, found, ANSWER_WITHIN_MS);
      if (answer === null) return false;
      if (found.more || found.records.length > answer.taken) continue;
      // A slow way is no wrong clock: one that follows at once measures it better.
      if (answer.took > SLOW_MS && slow < 2) {
        slow += 1;
        continue;
      }
      break;
    }
    if (device === this.current?.device) this.become("received");
    await this.photos(device);
    return true;
  }

  // One hand-over. Gives what was answered, null where it was not taken.
  async send(device, found, within) {
    const began = performance.now();
    let answer;
    try {
      const body = {
        device,
        boot: found.boot,
        now: found.now,
        last: found.last,
        records: found.records.map(asRecord),
      };
      if (this.battery) body.battery = Math.round(this.battery.level * 100);
      answer = await post("/api/v1/phone/records", body, within);
    } catch {
      this.become("offline");
      return null;
    }
    if (!answer.ok) {
      if (device !== this.current?.device) return null;
      if (answer.status === 409 && (await this.again(device))) return null;
      await this.refused(answer);
      return null;
    }
    const said = await answer.json();
    const took = performance.now() - began;
    await store.taken(found.records.slice(0, said.taken), new Map(said.taps.map((tap) => [tap.seq, tap])), Date.now());
    this.received = Date.now();
    await store.write("received", this.received);
    if (took < SLOW_MS) {
      this.offset = said.now - (this.received - took / 2);
      await store.write("offset", this.offset);
    }
    this.dispatchEvent(new CustomEvent("taken", { detail: { records: found.records.slice(0, said.taken), taps: said.taps, unread: said.unread } }));
    return { ...said, took };
  }

  // The browser forgot its cookie: it is another phone from now on, and what was kept stays under the one that kept it.
  async again(device) {
    if (!(await this.begin())) return false;
    return this.current.device !== device;
  }

  async photos(device) {
    for (;;) {
      const found = await store.photo(device);
      if (found === null) return;
      try {
        const where = new URLSearchParams({ device, boot: found.boot, seq: found.seq });
        const answer = await fetch(`/api/v1/phone/photos?${where}`, {
          method: "POST",
          headers: { "Content-Type": "image/jpeg" },
          body: found.data,
          signal: AbortSignal.timeout(60000),
        });
        if (!answer.ok && answer.status !== 422) return;
      } catch {
        return;
      }
      await store.dropPhoto(device, found.seq);
      this.dispatchEvent(new Event("change"));
    }
  }

  // A call for help goes at once, before whatever was kept earlier, again and again until the gateway has it.
  async call(active, told) {
    const device = this.current?.device;
    if (!device) return null;
    const record = await store.keep(device, { kind: "panic", active });
    told(record);
    for (;;) {
      const found = await store.batch(device, 1, record.seq);
      if (found.records.length === 0) return record;
      if ((await this.send(device, found, HURRY_WITHIN_MS)) !== null) return record;
      await new Promise((done) => setTimeout(done, 2000));
    }
  }

  now() {
    return Date.now() + this.offset;
  }
}

// So much as one body may hold.
function fitting(found) {
  let bytes = 0;
  let count = 0;
  for (const record of found.records) {
    bytes += JSON.stringify(asRecord(record)).length * 2;
    if (count > 0 && bytes > MOST_BYTES) break;
    count += 1;
  }
  const more = count < found.records.length || count === MOST;
  return { ...found, records: found.records.slice(0, count), more };
}

function asRecord({ device, boot, ...record }) {
  return record.url?.length > MOST_ADDRESS ? { ...record, url: record.url.slice(0, MOST_ADDRESS) } : record;
}

function post(path, body, within) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive: true,
    signal: AbortSignal.timeout(within),
  });
}
