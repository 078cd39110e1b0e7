import { seconds } from "../format.js";
import { Icon } from "../ui/icons.js";
import type { Desk } from "./desk.js";

export function Transport({ desk }: { desk: Desk }) {
  const { player } = desk;
  const made = desk.made.value;
  const isPlaying = player.playing.value;
  return (
    <>
      <div class="row transport">
        <button
          type="button"
          class="round"
          aria-label={isPlaying ? "Pause" : "Play"}
          disabled={made === null}
          onClick={() => (isPlaying ? player.pause() : player.play())}
        >
          <Icon name={isPlaying ? "pause" : "play"} />
        </button>
        <button
          type="button"
          class="quiet icon-only"
          aria-label="Loop"
          title="Loop"
          aria-pressed={player.loop.value}
          onClick={() => player.setLoop(!player.loop.value)}
        >
          <Icon name="loop" />
        </button>
        <span class="time" aria-hidden="true">
          {player.position.value.toFixed(1)} / {player.duration.value.toFixed(1)} s
        </span>
        <button type="button" class="primary" onClick={() => void desk.makeFull()}>
          <Icon name="wave" />
          Render {seconds(desk.settings.value.durationS)}
        </button>
      </div>
      <Working desk={desk} />
    </>
  );
}

/**
 * Progress of a full render. Previews are too short to show any.
 * The empty row keeps its height, so that the layout does not jump.
 */
function Working({ desk }: { desk: Desk }) {
  const work = desk.maker.work.value;
  const isShown = work?.kind === "full";
  const share = work && work.total > 0 ? work.done / work.total : null;
  return (
    <div class={isShown ? "working" : "working is-idle"}>
      {isShown && (
        <>
          <progress aria-label="Rendering" max={1} {...(share !== null && { value: share })} />
          <span class="muted">{share === null ? "Queued" : `${work.done} of ${work.total}`}</span>
          <button type="button" class="quiet" onClick={() => desk.maker.cancel()}>
            Cancel
          </button>
        </>
      )}
    </div>
  );
}
