import org.apache.axis.AxisFault;

/** The SOAP service of the tests on Apache Axis 1.4, rpc/encoded: it returns objects, which Axis writes as multiRef. */
public class MailAuthorization {
    public Decision check(
            String user, String sender, String recipient, String clientAddress, String clientName)
            throws AxisFault {
        if (sender.equals("fault@example.net")) {
            throw new AxisFault("Client", "no such account", null, null);
        }
        if (sender.equals("alice@example.net")) {
            return new Decision("Permit", null);
        }
        return new Decision("Deny", new Reason(sender + " may not write to " + recipient));
    }
}
