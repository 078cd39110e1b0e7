/**
 * Plays one sound at a time. Uses Web Audio rather than an <audio> element: it loops, and switches
 * to another sound during playback, without a gap.
 */
import { computed, signal } from "@preact/signals";

export class Player {
  readonly buffer = signal<AudioBuffer | null>(null);
  readonly playing = signal(false);
  readonly loop = signal(false);
  /** Playback position in seconds */
  readonly position = signal(0);
  readonly duration = computed(() => this.buffer.value?.duration ?? 0);

  /** Created by the first `play()`: browsers require a click or key press first. */
  #context: AudioContext | null = null;
  #source: AudioBufferSourceNode | null = null;
  /** Context time that corresponds to position 0 of the sound */
  #startedAt = 0;
  #frame = 0;

  /** Loads a sound. With `keepPosition`, playback goes on from the previous sound's position. */
  load(buffer: AudioBuffer | null, { keepPosition = false } = {}): void {
    const wasPlaying = this.playing.peek();
    const position = keepPosition ? this.#now() : 0;
    this.#stop();
    this.buffer.value = buffer;
    this.position.value = buffer === null ? 0 : Math.min(position, buffer.duration);
    if (keepPosition && wasPlaying && buffer !== null) this.play();
  }

  play(): void {
    const buffer = this.buffer.peek();
    if (buffer === null) return;
    this.#stop();
    this.#context ??= new AudioContext();
    void this.#context.resume();
    const offset = this.position.peek() < buffer.duration ? this.position.peek() : 0;
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.loop = this.loop.peek();
    source.connect(this.#context.destination);
    source.onended = () => {
      if (this.#source !== source) return;
      this.#stop();
      this.position.value = 0;
    };
    source.start(0, offset);
    this.#source = source;
    this.#startedAt = this.#context.currentTime - offset;
    this.playing.value = true;
    this.#follow();
  }

  pause(): void {
    const position = this.#now();
    this.#stop();
    this.position.value = position;
  }

  seek(position: number): void {
    const wasPlaying = this.playing.peek();
    this.#stop();
    this.position.value = Math.max(0, Math.min(position, this.duration.peek()));
    if (wasPlaying) this.play();
  }

  setLoop(loop: boolean): void {
    // After a loop the elapsed time exceeds the duration: restart counting at the current position.
    const position = this.#now();
    this.loop.value = loop;
    if (this.#source === null || this.#context === null) return;
    this.#source.loop = loop;
    this.#startedAt = this.#context.currentTime - position;
  }

  dispose(): void {
    this.#stop();
    void this.#context?.close();
    this.#context = null;
  }

  #now(): number {
    const duration = this.duration.peek();
    if (this.#source === null || this.#context === null || duration === 0)
      return this.position.peek();
    const elapsed = Math.max(0, this.#context.currentTime - this.#startedAt);
    return this.loop.peek() ? elapsed % duration : Math.min(elapsed, duration);
  }

  #follow = (): void => {
    if (this.#source === null) return;
    this.position.value = this.#now();
    this.#frame = requestAnimationFrame(this.#follow);
  };

  #stop(): void {
    cancelAnimationFrame(this.#frame);
    const source = this.#source;
    this.#source = null;
    source?.stop();
    source?.disconnect();
    this.playing.value = false;
  }
}
