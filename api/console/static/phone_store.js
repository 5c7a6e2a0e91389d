// What the phone keeps, in IndexedDB: the queue of records until the gateway has them, the last known plan, whose phone this is.
const NAME = "lamplighter-phone";
const DONE_KEPT = 40;

let opened;

export function open() {
  opened ??= new Promise((done, failed) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore("state");
      opening.result.createObjectStore("kept", { keyPath: ["device", "seq"] });
      opening.result.createObjectStore("photos", { keyPath: ["device", "seq"] });
      opening.result.createObjectStore("done", { autoIncrement: true });
    };
    opening.onsuccess = () => {
      opening.result.onversionchange = () => opening.result.close();
      done(opening.result);
    };
    opening.onerror = () => failed(opening.error);
    opening.onblocked = () => failed(new Error("blocked"));
  });
  return opened;
}

// Run `work` in one transaction; resolves with what it gave, once that is on the phone's disk.
async function within(names, mode, work) {
  const database = await open();
  return new Promise((done, failed) => {
    const transaction = database.transaction(names, mode, { durability: "strict" });
    let result;
    transaction.oncomplete = () => done(result);
    transaction.onerror = () => failed(transaction.error);
    transaction.onabort = () => failed(transaction.error ?? new Error("aborted"));
    work(
      (name) => transaction.objectStore(name),
      (value) => {
        result = value;
      },
    );
  });
}

export function read(key) {
  return within(["state"], "readonly", (store, give) => {
    const asked = store("state").get(key);
    asked.onsuccess = () => give(asked.result);
  });
}

export function write(key, value) {
  return within(["state"], "readwrite", (store) => (value === undefined ? store("state").delete(key) : store("state").put(value, key)));
}

// Keep a record for `device`; it gets its number and its time in the same transaction, so that what was counted by a time is counted.
export function keep(device, record, photo = null) {
  return within(["state", "kept", "photos"], "readwrite", (store, give) => {
    const asked = store("state").get(`queue:${device}`);
    asked.onsuccess = () => {
      const queue = asked.result ?? { boot: newBoot(), last: 0 };
      queue.last += 1;
      const kept = { ...record, device, boot: queue.boot, seq: queue.last, at: Date.now() };
      store("state").put(queue, `queue:${device}`);
      store("kept").put(kept);
      if (photo) store("photos").put({ device, boot: queue.boot, seq: queue.last, data: photo });
      give(kept);
    };
  });
}

// What to hand in of one phone, at most `most`: the queue's name, how far it has counted by `now`, and the first records.
export function batch(device, most, only = null) {
  return within(["state", "kept"], "readwrite", (store, give) => {
    const asked = store("state").get(`queue:${device}`);
    asked.onsuccess = () => {
      const queue = asked.result ?? { boot: newBoot(), last: 0 };
      if (!asked.result) store("state").put(queue, `queue:${device}`);
      const found = store("kept").getAll(only === null ? range(device) : [device, only], most);
      found.onsuccess = () => give({ ...queue, now: Date.now(), records: found.result });
    };
  });
}

// The gateway has these: they leave the queue; `said` is what it made of them, by number.
export function taken(records, said, received) {
  return within(["kept", "done"], "readwrite", (store) => {
    for (const record of records) {
      store("kept").delete([record.device, record.seq]);
      store("done").put({ ...record, ...(said.get(record.seq) ?? {}), received });
    }
    const keys = store("done").getAllKeys();
    keys.onsuccess = () => keys.result.slice(0, -DONE_KEPT).forEach((key) => store("done").delete(key));
  });
}

export function everything() {
  return within(["kept", "photos", "done"], "readonly", (store, give) => {
    const [kept, photos, done] = [store("kept").getAll(), store("photos").getAllKeys(), store("done").getAll()];
    done.onsuccess = () => give({ kept: kept.result, photos: photos.result, done: done.result });
  });
}

export function photo(device) {
  return within(["photos"], "readonly", (store, give) => {
    const asked = store("photos").getAll(range(device), 1);
    asked.onsuccess = () => give(asked.result[0] ?? null);
  });
}

export function dropPhoto(device, seq) {
  return within(["photos"], "readwrite", (store) => store("photos").delete([device, seq]));
}

function range(device) {
  return IDBKeyRange.bound([device, 0], [device, Number.MAX_SAFE_INTEGER]);
}

function newBoot() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (octet) => octet.toString(16).padStart(2, "0")).join("");
}
