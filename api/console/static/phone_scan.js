// Reading tags: by Web NFC and by the camera, where the browser has them; and what an address on a tag says.

export const TAG_PATH = "/t/";

export function canNfc() {
  return "NDEFReader" in window;
}

export async function canQr() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return false;
  try {
    return (await BarcodeDetector.getSupportedFormats()).includes("qr_code");
  } catch {
    return false;
  }
}

// The record of an opened address.
export function linkRecord(address) {
  const url = new URL(address, location.href);
  return { kind: "link", url: url.href, via: url.searchParams.get("q") === "1" ? "qr" : "nfc" };
}

// By what the same tag is known again: signed addresses are new at each tap, so only what stands in clear.
export function tagKey(record) {
  if (record.kind === "tap") return `tag:${record.tag.replace(/[:\- ]/g, "").toUpperCase()}`;
  try {
    const url = new URL(record.url);
    if ([...url.searchParams.values()].some((value) => /^[0-9a-f]{16,}$/i.test(value))) {
      const uid = url.searchParams.get("uid");
      return uid ? `tag:${uid.toUpperCase()}` : null;
    }
    url.searchParams.delete("q");
    return `url:${url.pathname}${url.search}`;
  } catch {
    return `text:${record.url}`;
  }
}

// What an address says in its path; of a signed one it may be the checkpoint, only to be shown.
export function hintOf(record) {
  try {
    const path = decodeURIComponent(new URL(record.url).pathname);
    return path.startsWith(TAG_PATH) ? path.slice(TAG_PATH.length) : null;
  } catch {
    return null;
  }
}

// The code by which the plan knows a tag (api/phone/plan.py); null where its number does not stand in clear.
export function codeOf(record) {
  const number = record.kind === "tap" ? record.tag : numberIn(record.url);
  if (!number) return null;
  let mixed = 0x811c9dc5;
  for (const octet of new TextEncoder().encode(number)) mixed = Math.imul(mixed ^ octet, 0x01000193);
  return ((mixed >>> 20) ^ (mixed & 0xfffff)).toString(16).padStart(5, "0");
}

function numberIn(address) {
  try {
    const url = new URL(address);
    const said = ["tag", "uid", "id"].map((name) => url.searchParams.get(name)).concat(hintOf({ url: address }));
    return said.map((text) => (text ?? "").split("x", 1)[0].replace(/[:\- ]/g, "").toUpperCase()).find((text) => /^(?:[0-9A-F]{2}){4,10}$/.test(text)) ?? null;
  } catch {
    return null;
  }
}

// Listen for tags until `signal`; `found` is told of each as a record.
export async function listenNfc(signal, found) {
  const reader = new NDEFReader();
  await reader.scan({ signal });
  reader.onreading = (event) => {
    const text = new TextDecoder();
    for (const part of event.message?.records ?? []) {
      if (part.recordType !== "url" && part.recordType !== "absolute-url") continue;
      const address = text.decode(part.data);
      if (/[?&](cmac|mac|c|m|e|p|picc_data|picc)=/i.test(address)) {
        found({ kind: "link", url: address, via: "nfc" });
        return;
      }
    }
    if (event.serialNumber) found({ kind: "tap", tag: event.serialNumber.replaceAll(":", "").toUpperCase() });
  };
}

// Look through the camera for a QR code; gives its record, null if it was given up.
export async function lookForQr(video, signal) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  try {
    video.srcObject = stream;
    await video.play();
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    while (!signal.aborted) {
      const [code] = await detector.detect(video).catch(() => []);
      if (code?.rawValue) return { kind: "link", url: code.rawValue.slice(0, 2048), via: "qr" };
      await new Promise((done) => setTimeout(done, 150));
    }
    return null;
  } finally {
    video.srcObject = null;
    for (const track of stream.getTracks()) track.stop();
  }
}

// A picture made small: at most 1280 px, at most 300 kB, drawn anew so that nothing of where and by what it was taken stays in it.
export async function smallPicture(file) {
  const image = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  for (const [side, quality] of [
    [1280, 0.7],
    [1280, 0.5],
    [960, 0.5],
    [640, 0.4],
    [480, 0.3],
  ]) {
    const scale = Math.min(1, side / Math.max(image.width, image.height));
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
    if (blob && blob.size <= 300000) return { canvas, data: await blob.arrayBuffer() };
  }
  throw new Error("too large");
}
