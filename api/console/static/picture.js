// A picture is made small enough before it is sent.

const MOST = 480 * 1024;

/** A picture of at most MOST bytes: as it is, or drawn again smaller. */
export async function small(file) {
  if (file.size <= MOST) return file;
  const picture = await createImageBitmap(file);
  for (let side = 1600; side >= 400; side *= 0.7) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.75 });
    if (blob.size <= MOST) return blob;
  }
  return file;
}
