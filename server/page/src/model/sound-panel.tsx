import { useSignal } from "@preact/signals";
import { melUrl } from "../api.js";
import { count, hertz, seconds } from "../format.js";
import type { Made } from "../sound/made.js";
import { qualityInWords } from "../sound/quality.js";
import { Icon } from "../ui/icons.js";
import { AbSwitch } from "./ab-switch.js";
import type { Desk } from "./desk.js";
import { Download } from "./download.js";
import { SettingsForm } from "./settings-form.js";
import { Transport } from "./transport.js";
import { Waveform } from "./waveform.js";

/** The sound: its picture, playback, rendering, download and settings. */
export function SoundPanel({ desk, name }: { desk: Desk; name: string }) {
  const made = desk.made.value;
  return (
    <section class="panel sound-panel" aria-labelledby="sound-title">
      <div class="panel-head">
        <h2 id="sound-title">Sound</h2>
        <AbSwitch desk={desk} />
      </div>
      {made ? (
        <Picture desk={desk} made={made} />
      ) : (
        <NoPicture hasSliders={desk.positions.value.length > 0} />
      )}
      <Transport desk={desk} />
      <Trouble desk={desk} />
      {made && <About desk={desk} made={made} />}
      <Download desk={desk} name={name} />
      <SettingsForm desk={desk} />
    </section>
  );
}

function NoPicture({ hasSliders }: { hasSliders: boolean }) {
  return (
    <div class="picture is-empty">
      <p>
        {hasSliders ? "Move a slider" : "Change the seed"} to hear a one-second preview, or render
        the full sound.
      </p>
    </div>
  );
}

function Picture({ desk, made }: { desk: Desk; made: Made }) {
  const { mel, soundId, channels } = made.result;
  const melFailed = useSignal<string | null>(null);
  return (
    <figure class={desk.isStale.value ? "picture is-stale" : "picture"}>
      <Waveform key={soundId} desk={desk} made={made} />
      {melFailed.value !== soundId && (
        <img
          class="mel"
          src={melUrl(made.result)}
          width={mel.width}
          height={mel.height}
          alt="Mel spectrogram: time to the right, pitch upwards, brighter is louder"
          onError={() => {
            melFailed.value = soundId;
          }}
        />
      )}
      <figcaption>
        {made.kind === "preview" ? "Preview" : "Full sound"}, {seconds(made.result.durationS)},{" "}
        {hertz(made.result.sampleRate)}
        {channels === 2 && ", left channel above, right below"}
        {desk.isStale.value && ". Positions or settings have changed since."}
      </figcaption>
    </figure>
  );
}

/** The error of the last request, shown until the next success. */
function Trouble({ desk }: { desk: Desk }) {
  const problem = desk.maker.problem.value;
  if (problem === null) return null;
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>No sound.</strong> {problem.message}
      </p>
      <button type="button" onClick={() => void desk.makeFull()}>
        Try again
      </button>
    </div>
  );
}

function About({ desk, made }: { desk: Desk; made: Made }) {
  const { verdict, reasons } = qualityInWords(made.result.quality);
  const { rating } = made.result.quality;
  return (
    <p class={`quality ${rating}`} aria-live={desk.player.playing.value ? "off" : "polite"}>
      <Icon name={rating === "green" ? "check" : "alert"} />
      <span>
        <strong>{verdict}</strong>: {reasons}
        <span class="visually-hidden">, {count(made.result.channels, "channel")}</span>
      </span>
    </p>
  );
}
