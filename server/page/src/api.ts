/**
 * The server's API: one typed function per call.
 * Each function rejects with a Problem, or with an AbortError when its signal is aborted.
 */
import { isAbort, type Problem, problemOf, unreachable } from "./problem.js";
import { askForToken, token } from "./token.js";
import type {
  BitDepth,
  Encoding,
  GenerateRequest,
  ModelChange,
  ModelDetail,
  ModelList,
  Session,
  Sliders,
  SlidersAnswer,
  SoundResult,
  TagCount,
} from "./types.js";

/** The API's path on the server, which the server writes into the page. */
const prefix = document.querySelector<HTMLMetaElement>('meta[name="sda-api"]')?.content ?? "/api";

/**
 * The API's address. It is beside the page. A proxy may serve both under another path than the
 * server, so only the last segment of the server's path is used.
 */
export const base = new URL(prefix.slice(prefix.lastIndexOf("/") + 1), document.baseURI).href;

/** A value and its ETag. A later change sends the ETag, so that the server detects conflicts. */
export interface Tagged<T> {
  value: T;
  etag: string | null;
}

export interface ModelsQuery {
  query: string;
  tags: readonly string[];
  sort: string;
  order: "asc" | "desc";
  page: number;
  pageSize: number;
}

export async function getModels(q: ModelsQuery, signal: AbortSignal): Promise<ModelList> {
  const search = new URLSearchParams({
    sort: q.sort,
    order: q.order,
    page: String(q.page),
    pageSize: String(q.pageSize),
  });
  if (q.query !== "") search.set("query", q.query);
  for (const tag of q.tags) search.append("tags", tag);
  return json(`/models?${search}`, { signal });
}

export async function getTags(signal: AbortSignal): Promise<TagCount[]> {
  return (await json<{ tags: TagCount[] }>("/tags", { signal })).tags;
}

export async function getModel(id: string, signal: AbortSignal): Promise<Tagged<ModelDetail>> {
  return tagged(await request(modelPath(id), { signal }));
}

export async function getSliders(id: string, signal: AbortSignal): Promise<Sliders> {
  const answer = await json<SlidersAnswer>(`${modelPath(id)}/sliders`, { signal });
  // JSON cannot hold NaN, which the library gives when the file states it: the server sends null.
  const sliders = answer.sliders.map((slider) => ({
    ...slider,
    varianceExplainedPct: slider.varianceExplainedPct ?? Number.NaN,
  }));
  return { ...answer, sliders };
}

export async function changeModel(
  id: string,
  change: ModelChange,
  etag: string | null,
): Promise<Tagged<ModelDetail>> {
  const headers = { "Content-Type": "application/json", ...ifMatch(etag) };
  const body = JSON.stringify(change);
  return tagged(await write(modelPath(id), { method: "PATCH", headers, body }));
}

export async function deleteModel(id: string): Promise<void> {
  await write(modelPath(id), { method: "DELETE" });
}

export function modelFileUrl(id: string): string {
  return `${base}${modelPath(id)}/file`;
}

/** The server reports progress to the event stream that was opened with `clientId`. */
export function generate(
  id: string,
  body: GenerateRequest,
  { clientId, requestId, signal }: { clientId: string; requestId: string; signal: AbortSignal },
): Promise<SoundResult> {
  const headers = {
    "Content-Type": "application/json",
    "X-Client-Id": clientId,
    "X-Request-Id": requestId,
  };
  const options = { method: "POST", headers, body: JSON.stringify(body), signal };
  return json(`${modelPath(id)}/generate?format=json`, options);
}

/** A finished sound as a WAV file. The server answers 404 after it has dropped the sound. */
export async function getSound(
  { soundId }: SoundResult,
  bitDepth: BitDepth,
  signal?: AbortSignal,
): Promise<ArrayBuffer> {
  const path = `/sounds/${encodeURIComponent(soundId)}?bitDepth=${bitDepth}`;
  return (await request(path, signal ? { signal } : {})).arrayBuffer();
}

/** The mel spectrogram of a finished sound as a picture. */
export function melUrl({ soundId }: SoundResult): string {
  return `${base}/sounds/${encodeURIComponent(soundId)}/mel.png`;
}

export function encode(id: string, wav: Blob, signal: AbortSignal): Promise<Encoding> {
  const headers = { "Content-Type": "audio/wav" };
  return json(`${modelPath(id)}/encode`, { method: "POST", headers, body: wav, signal });
}

export function getSession(signal?: AbortSignal): Promise<Session> {
  return json("/session", signal ? { signal } : {});
}

function modelPath(id: string): string {
  return `/models/${encodeURIComponent(id)}`;
}

function ifMatch(etag: string | null): Record<string, string> {
  return etag === null ? {} : { "If-Match": etag };
}

async function json<T>(path: string, init: RequestInit): Promise<T> {
  return (await request(path, init)).json();
}

async function tagged<T>(response: Response): Promise<Tagged<T>> {
  return { value: await response.json(), etag: response.headers.get("ETag") };
}

/** Like `request`, but on a 401 response asks the user for a token and tries once more. */
async function write(path: string, init: RequestInit): Promise<Response> {
  try {
    return await request(path, init);
  } catch (error) {
    if ((error as Problem).status !== 401 || !(await askForToken())) throw error;
    return request(path, init);
  }
}

async function request(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.value !== "") headers.set("Authorization", `Bearer ${token.value}`);
  let response: Response;
  try {
    response = await fetch(`${base}${path}`, { ...init, headers });
  } catch (error) {
    throw isAbort(error) ? error : unreachable();
  }
  if (!response.ok) throw problemOf(response.status, await response.text());
  return response;
}
