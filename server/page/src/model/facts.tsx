import type { ComponentChildren } from "preact";
import { bytes, count, day, duration, generationLabel, hertz, loss, number } from "../format.js";
import type { ModelDetail } from "../types.js";

/** Facts about the model's training, network and file. */
export function Facts({ model: m }: { model: ModelDetail }) {
  return (
    <section class="panel model-facts" aria-labelledby="facts-title">
      <h2 id="facts-title">About this model</h2>
      <dl>
        <Fact term="Dataset">
          {[
            m.datasetName,
            m.datasetFileCount > 0 && count(m.datasetFileCount, "sound"),
            (m.datasetTotalDurationS ?? 0) > 0 && duration(m.datasetTotalDurationS),
          ]
            .filter(Boolean)
            .join(", ") || "unknown"}
        </Fact>
        <Fact term="Trained">
          {day(m.trainingDate)}
          {m.trainingEpochs > 0 && `, ${count(m.trainingEpochs, "epoch")}`}
        </Fact>
        <Fact term="Loss">
          {loss(m.finalTrainLoss, m.trainingEpochs)}
          {m.trainingEpochs > 0 && `, validation ${loss(m.finalValLoss, m.trainingEpochs)}`}
        </Fact>
        <Fact term="Saved">{day(m.saveDate)}</Fact>
        <Fact term="Sound">
          {hertz(m.sampleRate)}, {count(m.spectrogramConfig.nMels, "mel band")}
        </Fact>
        <Fact term="Network">
          {count(m.parameters, "parameter")}, latent size {number(m.latentDim)}
          {!m.hasEncoder && ", decoder only"}
        </Fact>
        <Fact term="File">
          {bytes(m.bytes)}, {generationLabel(m.generation, m.vocoder)}
        </Fact>
        <Fact term="Id">
          <code>{m.modelId}</code>
        </Fact>
      </dl>
    </section>
  );
}

function Fact({ term, children }: { term: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}
