import { useEffect, useMemo } from "preact/hooks";
import { connection } from "../events.js";
import { libraryAddress } from "../route.js";
import { maxDurationS, session } from "../session.js";
import { useTitle } from "../title.js";
import { Failure } from "../ui/failure.js";
import { Icon } from "../ui/icons.js";
import { Link } from "../ui/link.js";
import { Desk } from "./desk.js";
import { EncodeDrop } from "./encode.js";
import { Facts } from "./facts.js";
import { Head } from "./head.js";
import { OpenModel } from "./load.js";
import { SliderPanel } from "./slider-panel.js";
import { SoundPanel } from "./sound-panel.js";

export function ModelPage({ id }: { id: string }) {
  const model = useMemo(() => new OpenModel(id), [id]);
  useEffect(() => () => model.dispose(), [model]);
  const detail = model.detail.value;
  const problem = model.problem.value;
  useTitle(detail?.value.name ?? "Model");
  useEffect(() => {
    if (connection.value === "open" && model.problem.peek()?.status === 0) void model.fetch();
  }, [connection.value]);

  return (
    <>
      <p class="way-back">
        <Link to={libraryAddress()}>
          <Icon name="back" />
          Library
        </Link>
      </p>
      <Head model={model} />
      {problem ? (
        <Failure
          title={
            problem.status === 404 ? "This model is not in the library" : "Cannot load the model"
          }
          problem={problem}
          onRetry={() => void model.fetch()}
        >
          <Link to={libraryAddress()}>Back to the library</Link>
        </Failure>
      ) : detail === null ? (
        <Waiting />
      ) : (
        <Opened model={model} />
      )}
    </>
  );
}

function Waiting() {
  return (
    <div class="card skeleton" aria-busy="true">
      <i />
      <i />
      <i />
    </div>
  );
}

function Opened({ model }: { model: OpenModel }) {
  const sliders = model.sliders.value;
  const detail = model.detail.value;
  const isAsked = session.value !== null;
  const desk = useMemo(
    () => (sliders === null ? null : new Desk(model.id, sliders, maxDurationS.peek())),
    // Renaming keeps the desk; other sliders need a new one. The session states the maximum length.
    [model, sliders?.half, sliders?.sliders.length, isAsked],
  );
  useEffect(() => () => desk?.dispose(), [desk]);
  useEffect(() => {
    if (desk !== null && sliders !== null) desk.sliders.value = sliders;
  }, [desk, sliders]);
  if (desk === null || detail === null) return null;
  return (
    <>
      <EncodeDrop desk={desk} model={detail.value} />
      {desk.addressRefused && (
        <p class="hint" role="status">
          The link holds positions that do not fit this model's sliders. All sliders are at 0.
        </p>
      )}
      <div class="desk">
        <SoundPanel desk={desk} name={detail.value.name} />
        <SliderPanel desk={desk} model={detail.value} />
      </div>
      <Facts model={detail.value} />
    </>
  );
}
