import { useRef } from "react";
import type { KeywardKeys as Element } from "keyward-element";
import { KeywardKeys } from "keyward-element/react";

export const Page = () => {
  const element = useRef<Element>(null);
  return (
    <>
      <button onClick={() => element.current?.create({ name: "CI" })}>Create</button>
      <KeywardKeys
        ref={element} session="/keys/session" view="list" hide={["search"]} expirations={[7, 30, "never"]} defaultExpiration={30}
        messages={{ title: "Access" }} readOnly className="keys" aria-label="Keys"
        onKeyCreated={({ detail }) => console.log(detail.keyId)} onError={({ detail }) => console.log(detail.code)}
      />
      {/* @ts-expect-error: no such view */}
      <KeywardKeys session="/keys/session" view="grid" />
    </>
  );
};
