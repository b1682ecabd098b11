/** A bean, as Axis wants what it writes. */
public class Decision {
    private final String verdict;
    private final Reason reason;

    public Decision(String verdict, Reason reason) {
        this.verdict = verdict;
        this.reason = reason;
    }

    public String getVerdict() {
        return verdict;
    }

    public Reason getReason() {
        return reason;
    }
}
