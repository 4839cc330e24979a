// Carries out what the test says, a line of JSON each, with the client `ai` that the code of
// docs/callers.md has made and the token that its `freshToken` gives.

import { createInterface } from "node:readline";

const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const calls = {
  token: async ({ value }) => {
    token = value;
    return null;
  },
  key: async ({ url, key, ...request }) => {
    const place = { vertexai: true, project: "acme-ml", location: "us-central1" };
    const other = new GoogleGenAI({ ...place, apiKey: key, httpOptions: { baseUrl: url } });
    return (await other.models.generateContent(request)).text;
  },
  generate: async (request) => (await ai.models.generateContent(request)).text,
  count: async (request) => (await ai.models.countTokens(request)).totalTokens,
  embed: async (request) => (await ai.models.embedContent(request)).embeddings[0].values,
  model: async (request) => (await ai.models.get(request)).name,
  models: async () => {
    const names = [];
    for await (const model of await ai.models.list()) names.push(model.name);
    return names;
  },
  stream: async (request) => {
    for await (const chunk of await ai.models.generateContentStream(request)) {
      say({ chunk: chunk.text });
    }
    return null;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...request } = JSON.parse(line);
  try {
    say({ result: await calls[call](request) });
  } catch (error) {
    say({ error: { name: error.name, status: error.status, message: error.message } });
  }
}
