import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import WaveSurfer from "wavesurfer.js";
import type { Made } from "../sound/made.js";
import { waveformRows } from "../sound/peaks.js";
import type { Player } from "../sound/player.js";
import type { Desk } from "./desk.js";

const HEIGHT = 112;
/** Seconds per press of an arrow key */
const SEEK_STEP_S = 0.1;

/** The content policy allows only styles with this nonce; the server writes one into each page. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

/** Draws the waveform from the server's peaks and shows the position of the desk's player. */
export function Waveform({ desk, made }: { desk: Desk; made: Made }) {
  const container = useRef<HTMLDivElement>(null);
  const surfer = useRef<WaveSurfer | null>(null);
  const { player } = desk;

  useEffect(() => {
    if (container.current === null) return;
    const drawn = WaveSurfer.create({
      container: container.current,
      height: HEIGHT,
      peaks: waveformRows(made.result.peaks),
      duration: made.buffer.duration,
      cursorWidth: 2,
      dragToSeek: { debounceTime: 0 },
      hideScrollbar: true,
      cspNonce: nonce,
      ...colors(),
    });
    drawn.on("interaction", (time) => player.seek(time));
    surfer.current = drawn;
    // A canvas does not follow changes of the color scheme by itself.
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolor = () => drawn.setOptions(colors());
    scheme.addEventListener("change", recolor);
    return () => {
      scheme.removeEventListener("change", recolor);
      surfer.current = null;
      drawn.destroy();
    };
  }, [made]);

  useSignalEffect(() => {
    surfer.current?.setTime(player.position.value);
  });

  return (
    <div class="waveform">
      <div ref={container} aria-hidden="true" />
      <input
        class="visually-hidden"
        type="range"
        aria-label="Position in the sound"
        min={0}
        max={made.buffer.duration}
        step={SEEK_STEP_S}
        value={player.position.value}
        aria-valuetext={`${spokenPosition(player)} of ${made.buffer.duration.toFixed(1)} seconds`}
        onInput={({ currentTarget }) => player.seek(currentTarget.valueAsNumber)}
      />
    </div>
  );
}

/** Whole seconds during playback, because a screen reader reads out every change. */
function spokenPosition({ playing, position }: Player): string {
  return playing.value ? String(Math.floor(position.value)) : position.value.toFixed(1);
}

function colors(): { waveColor: string; progressColor: string; cursorColor: string } {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  return {
    waveColor: color("--wave"),
    progressColor: color("--accent"),
    cursorColor: color("--ink"),
  };
}
