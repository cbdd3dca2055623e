// verify asks a follower on a unix socket about a key, from Node, without a package. It throws where there is no answer: that is no yes.
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true });

export function verify(question, { socketPath = "/run/keyward/keyward.sock", token = process.env.TOKEN, timeout = 2000 } = {}) {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(question);
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const ask = request({ socketPath, agent, method: "POST", path: "/api/v2/api-keys/verify", headers, timeout }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece) => (text += piece));
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode !== 200) return reject(new Error(`keyward answers ${answer.statusCode}`));
        resolve(JSON.parse(text).data.result);
      });
    });
    ask.on("timeout", () => ask.destroy(new Error("keyward does not answer")));
    ask.on("error", reject);
    ask.end(body);
  });
}
