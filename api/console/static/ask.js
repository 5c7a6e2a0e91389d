// The one way in which a page asks the gateway for something: what is refused, or not answered, is an error in the reader's words.

const texts = document.getElementById("texts").dataset;

/** Send `body`, as JSON unless it is bytes; gives the answer, or throws what is wrong. */
export async function ask(url, body, method = "POST") {
  const bytes = body instanceof Blob;
  const headers = { "content-type": bytes ? "application/octet-stream" : "application/json" };
  let answer, said;
  try {
    answer = await fetch(url, { method, headers, body: bytes ? body : JSON.stringify(body) });
    const isPart = answer.headers.get("content-type")?.startsWith("text/html");
    said = answer.status === 204 ? null : await (isPart ? answer.text() : answer.json());
  } catch {
    throw new Error(texts.unreachable);
  }
  if (!answer.ok) throw new Error(said.says ?? texts.unreachable);
  return said;
}
