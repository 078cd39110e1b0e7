/** Uploads one file. Uses XMLHttpRequest, because fetch reports no upload progress. */
import { base } from "./api.js";
import { problemOf, unreachable } from "./problem.js";
import { askForToken, token } from "./token.js";
import type { ModelDetail } from "./types.js";

/**
 * @param onProgress gets the share of bytes sent so far, 0 to 1
 * @throws Problem, or an AbortError
 */
export async function uploadModel(
  file: File,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<ModelDetail> {
  const form = new FormData();
  form.append("file", file);
  let answer = await send(form, onProgress, signal);
  if (answer.status === 401 && (await askForToken())) answer = await send(form, onProgress, signal);
  if (answer.status !== 201) throw problemOf(answer.status, answer.responseText);
  return JSON.parse(answer.responseText);
}

function send(
  form: FormData,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${base}/models`);
    if (token.value !== "") request.setRequestHeader("Authorization", `Bearer ${token.value}`);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onload = () => resolve(request);
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("The upload was cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
