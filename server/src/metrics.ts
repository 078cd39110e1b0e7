import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Values that are read when the metrics are requested. */
export interface Measured {
  running: number;
  queued: number;
  uploads: number;
  cacheBytes: number;
  cachedModels: number;
  soundBytes: number;
  models: number;
  eventClients: number;
}

const DURATIONS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const NS_PER_S = 1e9;

/** The server's metrics, in their own registry: those of the application are not touched. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #requests: Counter<"method" | "route" | "status">;
  readonly #durations: Histogram<"method" | "route">;
  readonly #seconds: Counter;

  constructor(measure: () => Measured) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "sda_http_requests_total",
      help: "Responses sent",
      labelNames: ["method", "route", "status"],
      registers,
    });
    this.#durations = new Histogram({
      name: "sda_http_request_duration_seconds",
      help: "Time from the request's head to the end of the response",
      labelNames: ["method", "route"],
      buckets: DURATIONS_S,
      registers,
    });
    this.#seconds = new Counter({
      name: "sda_generated_seconds_total",
      help: "Seconds of sound generated",
      registers,
    });
    const gauges: [name: string, help: string, value: () => number][] = [
      ["sda_running", "Requests for sound or latents that are running", () => measure().running],
      ["sda_queued", "Requests for sound or latents that are waiting", () => measure().queued],
      ["sda_uploads", "Model files and sounds that are being received", () => measure().uploads],
      ["sda_cache_bytes", "Memory of the cached models", () => measure().cacheBytes],
      ["sda_cached_models", "Number of cached models", () => measure().cachedModels],
      ["sda_sound_bytes", "Memory of the finished sounds", () => measure().soundBytes],
      ["sda_models", "Number of models in the library", () => measure().models],
      ["sda_event_clients", "Open event streams", () => measure().eventClients],
      [
        "process_resident_memory_bytes",
        "Resident memory of the process",
        () => process.memoryUsage.rss(),
      ],
      [
        "sda_event_loop_delay_p50_seconds",
        "Median delay of the event loop since the last scrape",
        () => this.#delay.percentile(50) / NS_PER_S,
      ],
      [
        "sda_event_loop_delay_p99_seconds",
        "99th percentile of the event loop's delay since the last scrape",
        () => this.#delay.percentile(99) / NS_PER_S,
      ],
      [
        "sda_event_loop_delay_max_seconds",
        "Longest delay of the event loop since the last scrape",
        () => this.#delay.max / NS_PER_S,
      ],
    ];
    for (const [name, help, value] of gauges) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    }
    this.#delay.enable();
  }

  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.inc({ method, route, status });
    this.#durations.observe({ method, route }, seconds);
  }

  generated(seconds: number): void {
    this.#seconds.inc(seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const text = await this.#registry.metrics();
    this.#delay.reset();
    return text;
  }

  close(): void {
    this.#delay.disable();
  }
}
